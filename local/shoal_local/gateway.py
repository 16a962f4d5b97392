"""The front end of the deployed REST API: routes from its OpenAPI body, SigV4 and IAM, the Lambda proxy."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request, Response

from shoal_local.cfn_api import body_of
from shoal_local.gateway_errors import BAD_HANDLER, BROKEN, INVALID_TOKEN, MISSING_TOKEN, gateway_error
from shoal_local.gateway_event import proxy_event, proxy_response
from shoal_local.iam import Iam, Principal
from shoal_local.lambda_permission import may_invoke
from shoal_local.lambda_pool import LambdaPool
from shoal_local.lambda_runtime import function_by_arn
from shoal_local.names import arn, backend
from shoal_local.sigv4 import BadSignature, verify
from shoal_local.wire import Environ, caller_of, session_token_of, take_body

_FUNCTION = re.compile(r"functions/(arn:[^/]+)/invocations")
_INTEGRATION = "x-amazon-apigateway-integration"


class Gateway:
    """A WSGI application: ``/<stage>/<path>`` of whatever API is deployed at this moment."""

    def __init__(self, iam: Iam, pool: LambdaPool) -> None:
        self._iam = iam
        self._pool = pool

    def __call__(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
        body = take_body(environ)
        return self._handle(Request(environ), body)(environ, start_response)

    def _handle(self, request: Request, body: bytes) -> Response:
        found = find_route(request.method, request.path)
        if isinstance(found, dict):
            return gateway_error(found, request.path, *MISSING_TOKEN)
        route, arguments = found
        if route["integration"].get("type") == "mock":
            return _mock(route["integration"])
        try:
            principal = self._authorized(request, route, body)
            answer = self._invoked(request, route, arguments, principal)
        except _Refused as refused:
            return gateway_error(route["body"], request.path, *refused.answer)
        return answer

    def _authorized(self, request: Request, route: dict[str, Any], body: bytes) -> Principal | None:
        """The signer, allowed execute-api:Invoke; None where the method asks for none."""
        if not route["iam"] or not self._iam.enforced:
            return None
        caller = caller_of(request.environ)
        if caller is None:
            raise _Refused(*MISSING_TOKEN)
        principal = self._iam.principal(caller.access_key, session_token_of(request.environ))
        if principal is None:
            raise _Refused(*INVALID_TOKEN)
        try:
            verify(request.environ, body, caller.access_key, principal.secret, "execute-api", caller.region)
        except BadSignature as error:
            raise _Refused(403, str(error), "InvalidSignatureException") from error
        resource = arn("execute-api", f"{route['api']}/{route['stage']}/{request.method}{route['path']}")
        if not self._iam.authorize(principal, "execute-api:Invoke", [resource], {}).allowed:
            asked = f"perform: execute-api:Invoke on resource: {resource}"
            raise _Refused(
                403, f"User: {principal.arn} is not authorized to {asked}", "AccessDeniedException"
            )
        return principal

    def _invoked(
        self, request: Request, route: dict[str, Any], arguments: dict[str, str], principal: Principal | None
    ) -> Response:
        target = _FUNCTION.search(str(route["integration"].get("uri", "")))
        if target is None:
            raise _Refused(*BROKEN)
        function = function_by_arn(target.group(1))
        source = arn("execute-api", f"{route['api']}/{route['stage']}/{request.method}{route['resource']}")
        if not may_invoke(function, "apigateway.amazonaws.com", source):
            raise _Refused(*BROKEN)
        event = proxy_event(request, route, arguments, principal)
        outcome, _ = self._pool.invoke(function, json.dumps(event).encode())
        answer = None if outcome.failed else proxy_response(outcome.payload)
        if answer is None:
            raise _Refused(*BAD_HANDLER)
        return answer


class _Refused(Exception):
    """What the gateway answers itself: status, message, kind."""

    def __init__(self, status: int, message: str, kind: str) -> None:
        super().__init__(message)
        self.answer = (status, message, kind)


def find_route(method: str, path: str) -> tuple[dict[str, Any], dict[str, str]] | dict[str, Any]:
    """The deployed method behind a path and its arguments; without one, the body of the API asked."""
    asked: dict[str, Any] = {}
    for api in list(backend("apigateway").apis.values()):
        for stage in list(api.stages.values()):
            prefix = f"/{stage.name}"
            if path != prefix and not path.startswith(f"{prefix}/"):
                continue
            asked = body_of(api)
            found = _match(asked, method, path[len(prefix) :] or "/")
            if found:
                place = {"api": api.id, "stage": stage.name, "variables": stage.variables, "body": asked}
                return {**found[0], **place, "binary": api.binaryMediaTypes}, found[1]
    return asked


def _match(body: dict[str, Any], method: str, path: str) -> tuple[dict[str, Any], dict[str, str]] | None:
    rules = [
        Rule(
            re.sub(
                r"\{(\w+)(\+?)\}", lambda m: f"<{'path' if m.group(2) else 'string'}:{m.group(1)}>", resource
            ),
            methods=None if verb == "x-amazon-apigateway-any-method" else [verb.upper()],
            endpoint=(resource, verb),
        )
        for resource, verbs in body.get("paths", {}).items()
        for verb in verbs
    ]
    adapter = Map(rules, strict_slashes=False, merge_slashes=False).bind("localhost")
    try:
        (resource, verb), arguments = adapter.match(path, method)
    except HTTPException:
        return None
    spec = body["paths"][resource][verb]
    route = {
        "resource": resource,
        "path": path,
        "integration": spec.get(_INTEGRATION, {}),
        "iam": _uses_iam(body, spec),
    }
    return route, dict(arguments)


def _uses_iam(body: dict[str, Any], spec: dict[str, Any]) -> bool:
    """Whether the method's security asks for SigV4; any other authorizer is unknown here and treated so."""
    schemes = body.get("securityDefinitions") or body.get("components", {}).get("securitySchemes") or {}
    names = [name for requirement in spec.get("security") or [] for name in requirement]
    return any(schemes.get(name, {}).get("x-amazon-apigateway-authtype", "") != "NONE" for name in names)


def _mock(integration: dict[str, Any]) -> Response:
    """A CORS preflight answered by API Gateway itself."""
    default = integration["responses"]["default"]
    headers = {
        k.rsplit(".", 1)[-1]: str(v).strip("'") for k, v in default.get("responseParameters", {}).items()
    }
    return Response("", int(default["statusCode"]), headers)
