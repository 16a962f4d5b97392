"""The HTTP face behind the load balancer: ``/health``, ``/status``, ``/predict``."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Protocol

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from shoal_worker.service import problems as problem
from shoal_worker.service.limits import MAXIMUM_BODY_BYTES, MAXIMUM_WAITING, BodyLimit
from shoal_worker.service.progress import Activity
from shoal_worker.service.shapes import (
    PREDICT_BODY,
    Health,
    ImageAnswer,
    Status,
    VideoAnswer,
    problems,
)
from shoal_worker.service.uploads import Upload, read_upload


class Predictor(Protocol):
    """The loaded model as the HTTP face needs it."""

    def predict_image(self, data: bytes) -> dict[str, Any]:
        """Boxes of one encoded image, as the answer's JSON."""

    def predict_video(self, video: Path) -> dict[str, Any]:
        """Tracks of one short video, as the answer's JSON."""

    def describe(self) -> dict[str, Any]:
        """Name and sha256 of the model, and what runs it."""


class ServiceState:
    """What the HTTP face knows of the worker; ``predictor`` is set once, when the model is loaded."""

    def __init__(self, activity: Activity, scratch: Path, identity: dict[str, str]) -> None:
        self.activity = activity
        self.scratch = scratch
        self.identity = identity
        self.predictor: Predictor | None = None
        self.reason = "the model is being loaded; ask again in a few seconds"
        self.waiting = 0
        self._started = time.monotonic()

    def ready(self, predictor: Predictor) -> None:
        self.predictor, self.reason = predictor, ""

    def status(self) -> dict[str, Any]:
        """The body of ``GET /status``."""
        model = self.predictor.describe() if self.predictor else None
        uptime = round(time.monotonic() - self._started, 1)
        body = {"ready": model is not None, "reason": self.reason, "uptime_seconds": uptime}
        return {
            **self.identity,
            **body,
            **(model or {"model": None, "backend": None}),
            **self.activity.snapshot(),
        }


def create_app(state: ServiceState) -> FastAPI:
    """The ASGI application over ``state``."""
    app = FastAPI(title="Shoal worker", version="1", docs_url=None, redoc_url=None)
    app.add_middleware(BodyLimit, limit=MAXIMUM_BODY_BYTES)
    problem.install(app)

    @app.get("/health", responses={200: {"model": Health}, 503: {"model": Health}})
    async def health() -> JSONResponse:
        """200 when the model is loaded, 503 with the reason before."""
        if state.predictor is None:
            return JSONResponse({"status": "starting", "reason": state.reason}, 503)
        return JSONResponse({"status": "ok"})

    @app.get("/status", responses={200: {"model": Status}})
    async def status() -> JSONResponse:
        """Model, backend, uptime, counts and the current video's progress."""
        return JSONResponse(state.status())

    @app.post(
        "/predict",
        responses={200: {"model": ImageAnswer | VideoAnswer}, **problems(400, 413, 415, 422, 503)},
        openapi_extra=PREDICT_BODY,
    )
    async def predict(request: Request) -> JSONResponse:
        """Boxes of an image, or tracks of a short video."""
        if state.predictor is None:
            raise problem.not_now(state.reason)
        if state.waiting >= MAXIMUM_WAITING:
            raise problem.not_now("too many requests wait for the model: try again in a second")
        state.waiting += 1
        try:
            return JSONResponse(await _answer(state, state.predictor, request))
        finally:
            state.waiting -= 1

    return app


async def _answer(state: ServiceState, predictor: Predictor, request: Request) -> dict[str, Any]:
    began = time.perf_counter()
    upload = await read_upload(request, state.scratch)
    read = time.perf_counter()
    body = await run_in_threadpool(_predict, predictor, upload)
    state.activity.count("predictions")
    now = time.perf_counter()
    return body | {
        "milliseconds": round(1000 * (now - read), 3),
        "milliseconds_reading": round(1000 * (read - began), 3),
    }


def _predict(predictor: Predictor, upload: Upload) -> dict[str, Any]:
    if upload.video is None:
        return predictor.predict_image(upload.image or b"")
    try:
        return predictor.predict_video(upload.video)
    finally:
        upload.video.unlink(missing_ok=True)
