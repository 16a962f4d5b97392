"""What stands before the resolver: a body is read within bounds, and every failure is answered as a problem.

Powertools' ``resolve()`` raises on a JSON text nested 100,000 deep, an integer of 5,000 digits and a
multipart body without a boundary; API Gateway would answer 502. So a body is decoded here, and the resolver
only routes.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel

from shoal.api.decode import decode_json, decode_yaml
from shoal.api.problem import UnsupportedMediaType, problem
from shoal.errors import ContentTooLarge, MalformedRequest, NotFound, ShoalError
from shoal.telemetry import logger

BODY_LIMIT = 64 * 1024
_JSON = "application/json"
_YAML = frozenset({"application/yaml", "application/x-yaml", "text/yaml"})
_METHODS = frozenset({"GET", "POST", "DELETE", "PUT", "PATCH", "HEAD", "OPTIONS"})
_WRITING = frozenset({"POST", "PUT"})
_PATH = re.compile(r"/[\x21-\x7e]{0,1023}")

Handler = Callable[[dict[str, Any], LambdaContext], dict[str, Any]]


@dataclass(frozen=True)
class Request:
    """What a route may know of a request. ``root`` is the path of the API's stage, for links; ``key`` is its
    ``Idempotency-Key``.
    """

    method: str
    path: str
    identifier: str
    actor: str = "api"
    root: str = ""
    query: dict[str, str] = field(default_factory=dict)
    body: Any = None
    key: str | None = None


@dataclass(frozen=True)
class Answer:
    """What a route answers; ``location`` is relative to the API's root."""

    status: int
    content: BaseModel
    location: str | None = None


def resolver() -> APIGatewayRestResolver:
    """A router that answers problems: one for each function."""
    app = APIGatewayRestResolver()

    def failed(error: Exception) -> Response[str]:
        answer = _failure(error, request_of(app).identifier)
        return Response(answer["statusCode"], None, answer["body"], answer["headers"])

    def unknown_route(_: Exception) -> Response[str]:
        return failed(NotFound("there is no such route: docs/api.md lists them"))

    app.exception_handler(Exception)(failed)
    app.not_found(unknown_route)
    return app


def request_of(app: APIGatewayRestResolver) -> Request:
    """The request at hand, already read."""
    request: Request = app.context["request"]
    return request


def respond(app: APIGatewayRestResolver, answer: Answer) -> Response[str]:
    """An answer as API Gateway wants it."""
    root = request_of(app).root
    headers = {"Location": root + answer.location} if answer.location else {}
    return Response(answer.status, _JSON, answer.content.model_dump_json(by_alias=False), dict(headers))


def serve(app: APIGatewayRestResolver, body_limit: int = BODY_LIMIT, yaml: bool = False) -> Handler:
    """The Lambda handler for a router. ``yaml`` accepts YAML bodies beside JSON."""

    def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
        identifier = str(getattr(context, "aws_request_id", "")) or "unknown"
        try:
            request = read(event, identifier, body_limit, yaml)
            app.context["request"] = request
            return app.resolve(_for_router(request), context)
        except Exception as error:  # noqa: BLE001 (the last boundary: logged, and answered as a problem)
            return _failure(error, identifier)

    return lambda_handler


def read(event: Any, identifier: str, body_limit: int, yaml: bool) -> Request:
    """An event of API Gateway (REST, payload format 1.0), whatever it holds.

    Raises:
        MalformedRequest, ContentTooLarge, UnsupportedMediaType: see the message.
    """
    if not isinstance(event, dict):
        raise MalformedRequest("the event is not a request of API Gateway")
    method, path = event.get("httpMethod"), event.get("path")
    if method not in _METHODS or not isinstance(path, str) or not _PATH.fullmatch(path):
        raise MalformedRequest("the method or the path could not be read")
    headers = {key.lower(): value for key, value in _texts(event.get("headers")).items()}
    raw = _body(event, body_limit)
    context = event.get("requestContext")
    context = context if isinstance(context, dict) else {}
    return Request(
        method=method,
        path=path,
        identifier=identifier,
        actor=_actor(context),
        root=_root(context, path),
        query=_texts(event.get("queryStringParameters")),
        body=_decode(raw, headers.get("content-type", _JSON), yaml) if raw and method in _WRITING else None,
        key=headers.get("idempotency-key"),
    )


def _failure(error: Exception, identifier: str) -> dict[str, Any]:
    """The answer for an error; one of ours that the sender can mend is no news for the log."""
    known = error if isinstance(error, ShoalError) else ShoalError("unexpected")
    if known.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        logger().error("request failed", exc_info=error, extra={"code": known.code, "request": identifier})
    return problem(known, identifier)


def _texts(value: Any) -> dict[str, str]:
    if not isinstance(value, dict):
        return {}
    return {key: text for key, text in value.items() if isinstance(key, str) and isinstance(text, str)}


def _body(event: dict[str, Any], limit: int) -> bytes:
    body = event.get("body")
    if body is None:
        return b""
    if not isinstance(body, str):
        raise MalformedRequest("the body could not be read")
    if len(body) > limit * 2:
        raise ContentTooLarge(f"send at most {limit} bytes")
    try:
        raw = base64.b64decode(body, validate=True) if event.get("isBase64Encoded") else body.encode()
    except (binascii.Error, ValueError) as error:
        raise MalformedRequest("the body is not the base64 or UTF-8 text it is said to be") from error
    if len(raw) > limit:
        raise ContentTooLarge(f"send at most {limit} bytes")
    return raw


def _decode(raw: bytes, content_type: str, yaml: bool) -> Any:
    kind = content_type.partition(";")[0].strip().lower()
    if kind != _JSON and not (yaml and kind in _YAML):
        accepted = " or application/yaml" if yaml else ""
        raise UnsupportedMediaType(f"send the body as {_JSON}{accepted}")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise MalformedRequest("the body is not UTF-8") from error
    return decode_json(text) if kind == _JSON else decode_yaml(text)


def _actor(context: dict[str, Any]) -> str:
    identity = context.get("identity")
    arn = identity.get("userArn") if isinstance(identity, dict) else None
    return arn if isinstance(arn, str) and arn.isprintable() else "api"


def _root(context: dict[str, Any], path: str) -> str:
    """The stage's part of the path (``/prod``), which links must carry."""
    whole = context.get("path")
    return whole.removesuffix(path) if isinstance(whole, str) and whole.endswith(path) else ""


def _for_router(request: Request) -> dict[str, Any]:
    """Only what routing needs: nothing hostile reaches Powertools."""
    return {
        "httpMethod": request.method,
        "path": request.path,
        "headers": {},
        "queryStringParameters": {},
        "requestContext": {},
        "body": json.dumps(None),
        "isBase64Encoded": False,
    }
