"""Errors of the HTTP face as RFC 9457 problem details."""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from shoal_worker.service.logs import logger

MEDIA_TYPE = "application/problem+json"


class Problem(Exception):
    """A request that gets no answer, and what its sender can do."""

    def __init__(self, status: int, code: str, title: str, detail: str) -> None:
        super().__init__(detail)
        self.status, self.code, self.title, self.detail = status, code, title, detail


def too_large(detail: str) -> Problem:
    return Problem(413, "too-large", "The request is too large", detail)


def unreadable(detail: str) -> Problem:
    return Problem(422, "unreadable", "The image or video cannot be decoded", detail)


def malformed(detail: str) -> Problem:
    return Problem(400, "malformed-request", "The request could not be read", detail)


def not_now(detail: str) -> Problem:
    return Problem(503, "not-ready", "The worker cannot answer now", detail)


def _answer(
    status: int, code: str, title: str, detail: str, headers: dict[str, str] | None = None
) -> JSONResponse:
    body = {
        "type": f"urn:shoal:problem:{code}",
        "title": title,
        "status": status,
        "detail": detail,
        "code": code,
    }
    return JSONResponse(body, status, headers=headers, media_type=MEDIA_TYPE)


async def _problem(_: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, Problem):
        raise error
    headers = {"Retry-After": "2"} if error.status == 503 else None
    return _answer(error.status, error.code, error.title, error.detail, headers)


async def _http(_: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, HTTPException):
        raise error
    known = {
        404: "there are /health, /status, /predict and /openapi.json",
        405: "use GET for /health and /status, POST for /predict",
    }
    detail = known.get(error.status_code, str(error.detail))
    headers = dict(error.headers) if error.headers else None
    return _answer(error.status_code, f"http-{error.status_code}", str(error.detail), detail, headers)


async def _internal(request: Request, error: Exception) -> JSONResponse:
    logger().error("a defect in %s", request.url.path, exc_info=error)
    return _answer(
        500, "internal", "Something broke inside the worker", "see the worker's log, then report it"
    )


def install(app: FastAPI) -> None:
    """Every error of the app leaves as ``application/problem+json``."""
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _internal)
