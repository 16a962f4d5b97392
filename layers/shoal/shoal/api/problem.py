"""Problem documents (RFC 9457): which field, and what to do."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel

from shoal.errors import ShoalError

CONTENT_TYPE = "application/problem+json"


class FieldProblem(BaseModel):
    """One field at fault; ``field`` is spelled as the sender may spell it, nested ones with dots."""

    field: str
    detail: str


class Problem(BaseModel):
    """What every error answers. ``instance`` names the request in the logs."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    code: str
    errors: list[FieldProblem] = []


class UnsupportedMediaType(ShoalError):
    """Neither JSON nor, where it is accepted, YAML."""

    code, status, title = "unsupported-media-type", 415, "The body's content type is not accepted"


def problem(error: ShoalError, request_id: str) -> dict[str, Any]:
    """The proxy answer for an error. What went wrong inside (5xx) stays in the log, under the request id."""
    detail = error.detail
    if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        detail = f"The request could not be served. Its id in the logs is {request_id}."
    document = {
        "type": f"urn:shoal:problem:{error.code}",
        "title": error.title,
        "status": error.status,
        "detail": detail,
        "instance": f"urn:shoal:request:{request_id}",
        "code": error.code,
        "errors": error.errors,
    }
    headers = {"Content-Type": CONTENT_TYPE}
    if error.retry_after is not None:
        headers["Retry-After"] = str(error.retry_after)
    return {
        "statusCode": error.status,
        "headers": headers,
        "body": json.dumps(document),
        "isBase64Encoded": False,
    }
