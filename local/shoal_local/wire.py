"""Which AWS call an HTTP request is: who signed it, for which service, operation and parameters."""

from __future__ import annotations

import functools
import io
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from botocore.model import OperationNotFoundError

from shoal_local.errors import UnknownAction

Environ = dict[str, Any]

_SCOPE = re.compile(r"Credential=([^/\s]+)/\d{8}/([^/]+)/([^/]+)/aws4_request")
# Signing names that differ from botocore's name of the service.
_BOTO_NAME = {
    "elasticloadbalancing": "elbv2",
    "monitoring": "cloudwatch",
    "email": "ses",
    "states": "stepfunctions",
    "tagging": "resourcegroupstaggingapi",
}


@dataclass(frozen=True)
class Caller:
    """What the credential scope of a SigV4 request says."""

    access_key: str
    region: str
    service: str


@dataclass(frozen=True)
class Call:
    """One AWS call. ``service`` is botocore's name; parameters are spelled as in botocore's model."""

    caller: Caller
    service: str
    operation: str
    parameters: dict[str, Any]
    path: str


def caller_of(environ: Environ) -> Caller | None:
    """The signer of a request, from its header or from a presigned URL; None when it is not signed."""
    match = _SCOPE.search(environ.get("HTTP_AUTHORIZATION", ""))
    if match:
        return Caller(*match.groups())
    presigned = parse_qs(environ.get("QUERY_STRING", "")).get("X-Amz-Credential")
    if not presigned:
        return None
    match = _SCOPE.search(f"Credential={presigned[0]}")
    return Caller(*match.groups()) if match else None


def session_token_of(environ: Environ) -> str:
    """The security token a request carries, or an empty string."""
    header = str(environ.get("HTTP_X_AMZ_SECURITY_TOKEN", ""))
    return header or parse_qs(environ.get("QUERY_STRING", "")).get("X-Amz-Security-Token", [""])[0]


def take_body(environ: Environ) -> bytes:
    """Read the body and put it back, so that moto can read it again."""
    stream = environ["wsgi.input"]
    if environ.get("wsgi.input_terminated"):
        body: bytes = stream.read()
    else:
        body = stream.read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = io.BytesIO(body)
    environ["CONTENT_LENGTH"] = str(len(body))
    return body


def boto_service(caller: Caller, environ: Environ) -> str:
    """botocore's name of the service a request is for."""
    if caller.service == "ses" and environ.get("PATH_INFO", "").startswith("/v2/"):
        return "sesv2"
    return _BOTO_NAME.get(caller.service, caller.service)


def read_call(environ: Environ, caller: Caller) -> Call:
    """Parse the request with botocore's own model of the service.

    Raises:
        UnknownAction: the service or the operation is not in botocore's models.
    """
    from moto.core.request import Request

    service = boto_service(caller, environ)
    body = take_body(environ)
    request = Request({**environ, "wsgi.input": io.BytesIO(body)})
    operation, uri_parameters = _operation(service, request)
    parameters = _parameters(service, operation, uri_parameters, request)
    return Call(caller, service, operation, parameters, request.path)


def _operation(service: str, request: Any) -> tuple[str, dict[str, Any]]:
    from moto.core.routing import NotFound, get_service_router

    target = request.headers.get("X-Amz-Target")
    if target:
        return target.rsplit(".", 1)[-1], {}
    action = request.values.get("Action")
    if action:
        return str(action), {}
    try:
        operation, parameters = get_service_router(service).match(request)
    except (NotFound, NotImplementedError) as error:
        raise UnknownAction(
            f"{request.method} {request.path} is no operation of {service} that botocore knows"
        ) from error
    return str(operation.name), dict(parameters)


def _parameters(service: str, operation: str, uri_parameters: dict[str, Any], request: Any) -> dict[str, Any]:
    from moto.core.parse import PROTOCOL_PARSERS
    from moto.core.request import determine_request_protocol

    model = _service_model(service)
    try:
        operation_model = model.operation_model(operation)
    except OperationNotFoundError as error:
        raise UnknownAction(f"{operation} is no operation of {service}") from error
    parser = PROTOCOL_PARSERS[determine_request_protocol(model, request.content_type)](operation_model)
    parsed = parser.parse(
        {
            "method": request.method,
            "values": request.values,
            "headers": request.headers,
            "body": b"" if service == "s3" and operation == "PutObject" else request.data,
            "url_path": request.path,
            "url_params": uri_parameters,
        }
    )
    return dict(parsed)


@functools.cache
def _service_model(service: str) -> Any:
    from moto.core.utils import get_service_model

    return get_service_model(service)
