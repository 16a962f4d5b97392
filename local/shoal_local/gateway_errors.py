"""API Gateway's own answers, in the form the API's gateway responses give them.

Source: API Gateway guide, "Gateway responses in API Gateway".
"""

from __future__ import annotations

import json
import uuid
from typing import Any

from werkzeug.wrappers import Response

_RESPONSES = "x-amazon-apigateway-gateway-responses"
_HEADER = "gatewayresponse.header."
MISSING_TOKEN = (403, "Missing Authentication Token", "MissingAuthenticationTokenException")
INVALID_TOKEN = (403, "The security token included in the request is invalid.", "UnrecognizedClientException")
BAD_HANDLER = (502, "Internal server error", "InternalServerErrorException")
BROKEN = (500, "Internal server error", "InternalServerErrorException")


def gateway_error(body: dict[str, Any], path: str, status: int, message: str, kind: str) -> Response:
    """``{"message": ...}``, unless the API's OpenAPI body has a template for this class of status."""
    headers = {"x-amzn-ErrorType": kind, "x-amzn-RequestId": str(uuid.uuid4())}
    own = (body.get(_RESPONSES) or {}).get(f"DEFAULT_{status // 100}XX") or {}
    template = (own.get("responseTemplates") or {}).get("application/json")
    text = _rendered(template, message, path) if template else json.dumps({"message": message})
    response = Response(text, status, headers, content_type="application/json")
    for name, value in (own.get("responseParameters") or {}).items():
        if name.startswith(_HEADER):
            response.headers[name.removeprefix(_HEADER)] = str(value).strip("'")
    return response


def _rendered(template: str, message: str, path: str) -> str:
    """The two variables a gateway response is made of; ``messageString`` comes with its quotes."""
    text = template.replace("$context.error.messageString", json.dumps(message))
    return text.replace("$context.error.message", message).replace("$context.path", json.dumps(path)[1:-1])
