"""The event of a REST API's Lambda proxy integration, payload version 1.0, and its answer.

Source: API Gateway guide, "Lambda proxy integrations in API Gateway".
"""

from __future__ import annotations

import base64
import json
import time
import uuid
from typing import Any

from werkzeug.wrappers import Request, Response

from shoal_local.iam import Principal
from shoal_local.names import ACCOUNT

_ANSWER_KEYS = frozenset({"statusCode", "headers", "multiValueHeaders", "body", "isBase64Encoded"})


def proxy_event(
    request: Request, route: dict[str, Any], arguments: dict[str, str], principal: Principal | None
) -> dict[str, Any]:
    """``route`` holds api, stage, resource, path, variables and binary media types."""
    headers: dict[str, list[str]] = {}
    for name, value in request.headers.items():
        headers.setdefault(name, []).append(value)
    query = {name: request.args.getlist(name) for name in request.args}
    body, encoded = _body(request, route["binary"])
    return {
        "resource": route["resource"],
        "path": route["path"],
        "httpMethod": request.method,
        "headers": {name: values[-1] for name, values in headers.items()},
        "multiValueHeaders": headers,
        "queryStringParameters": {name: values[-1] for name, values in query.items()} or None,
        "multiValueQueryStringParameters": query or None,
        "pathParameters": arguments or None,
        "stageVariables": route["variables"] or None,
        "requestContext": _context(request, route, principal),
        "body": body,
        "isBase64Encoded": encoded,
    }


def _body(request: Request, binary: list[str]) -> tuple[str | None, bool]:
    raw = request.get_data()
    if not raw:
        return None, False
    if request.mimetype in binary or "*/*" in binary:
        return base64.b64encode(raw).decode(), True
    return raw.decode(errors="replace"), False


def _context(request: Request, route: dict[str, Any], principal: Principal | None) -> dict[str, Any]:
    now = time.time()
    return {
        "accountId": ACCOUNT,
        "apiId": route["api"],
        "domainName": request.host,
        "domainPrefix": route["api"],
        "extendedRequestId": uuid.uuid4().hex[:16],
        "httpMethod": request.method,
        "identity": _identity(request, principal),
        "path": f"/{route['stage']}{route['path']}",
        "protocol": request.environ.get("SERVER_PROTOCOL", "HTTP/1.1"),
        "requestId": str(uuid.uuid4()),
        "requestTime": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(now)),
        "requestTimeEpoch": int(now * 1000),
        "resourceId": "local",
        "resourcePath": route["resource"],
        "stage": route["stage"],
    }


def _identity(request: Request, principal: Principal | None) -> dict[str, Any]:
    return {
        "accessKey": None,
        "accountId": ACCOUNT if principal else None,
        "caller": principal.name if principal else None,
        "sourceIp": request.remote_addr or "127.0.0.1",
        "user": principal.name if principal else None,
        "userAgent": request.headers.get("User-Agent"),
        "userArn": principal.arn if principal else None,
    }


def proxy_response(payload: bytes) -> Response | None:
    """The handler's answer as HTTP; None for one that API Gateway calls malformed (502)."""
    answer = json.loads(payload or b"null")
    if not isinstance(answer, dict) or "statusCode" not in answer or set(answer) - _ANSWER_KEYS:
        return None
    body = answer.get("body") or ""
    raw = base64.b64decode(body) if answer.get("isBase64Encoded") else str(body).encode()
    response = Response(raw, int(answer["statusCode"]), content_type="application/json")
    for name, value in (answer.get("headers") or {}).items():
        response.headers[name] = str(value)
    for name, values in (answer.get("multiValueHeaders") or {}).items():
        response.headers.setlist(name, [str(value) for value in values])
    return response
