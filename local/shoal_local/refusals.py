"""An AWS error as bytes on the wire, in the protocol the caller speaks."""

from __future__ import annotations

import json
import uuid
from xml.sax.saxutils import escape

from werkzeug.wrappers import Response

_REST_JSON = frozenset({"lambda", "apigateway", "sesv2", "scheduler", "execute-api", "xray"})
_QUERY = frozenset({"sns", "iam", "sts", "elbv2", "autoscaling", "cloudformation", "ses", "elb"})


def denied_code(service: str) -> str:
    """The error code a service answers a missing permission with."""
    if service == "ec2":
        return "UnauthorizedOperation"
    return "AccessDenied" if service in _QUERY or service == "s3" else "AccessDeniedException"


def refusal(service: str, code: str, message: str, status: int | None = None) -> Response:
    """One error response: 400 from JSON services, 403 from the others (AWS, "Common errors")."""
    if service == "s3":
        return _xml(f"<Error><Code>{code}</Code><Message>{escape(message)}</Message></Error>", status or 403)
    if service == "ec2":
        inner = f"<Errors><Error><Code>{code}</Code><Message>{escape(message)}</Message></Error></Errors>"
        return _xml(f"<Response>{inner}<RequestID>{uuid.uuid4()}</RequestID></Response>", status or 403)
    if service in _QUERY:
        inner = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
        return _xml(
            f"<ErrorResponse>{inner}<RequestId>{uuid.uuid4()}</RequestId></ErrorResponse>", status or 403
        )
    if service in _REST_JSON:
        return _json({"message": message, "Message": message}, code, status or 403)
    return _json({"__type": code, "message": message, "Message": message}, code, status or 400)


def _xml(body: str, status: int) -> Response:
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n{body}'
    return Response(text, status, {"x-amzn-RequestId": str(uuid.uuid4())}, content_type="text/xml")


def _json(body: dict[str, str], code: str, status: int) -> Response:
    headers = {"x-amzn-RequestId": str(uuid.uuid4()), "x-amzn-ErrorType": code}
    return Response(json.dumps(body), status, headers, content_type="application/x-amz-json-1.1")
