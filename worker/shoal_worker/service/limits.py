"""What one HTTP request may weigh, enforced while it is read."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shoal_worker.service.problems import Problem, too_large

MAXIMUM_IMAGE_BYTES = 20 * 1024 * 1024
MAXIMUM_VIDEO_BYTES = 64 * 1024 * 1024
MAXIMUM_VIDEO_FRAMES = 300
MAXIMUM_VIDEOS = 2
"""Videos tracked at once for the HTTP face."""

MAXIMUM_PICTURE_DECODERS = 4
"""Contained processes that decode pictures; fewer where the machine has fewer cores."""

MAXIMUM_WAITING = 32
"""Requests that may wait for the model at once, four batches; the next one is told to come back."""

MAXIMUM_BODY_BYTES = MAXIMUM_VIDEO_BYTES + 64 * 1024
"""A video and the form around it."""


class BodyLimit:
    """ASGI middleware: a body above the limit ends as a 413 when it is read, whatever its headers say."""

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self._limit:
                raise too_large(
                    f"a request may have {self._limit} bytes: use the video queue for long videos"
                )
            return message

        await self._app(scope, counted, send)


def check_declared_length(header: str | None) -> None:
    """Refuse by ``Content-Length`` before anything is read.

    Raises:
        Problem: 413 above the limit, 400 for a header that is no number.
    """
    if header is None:
        return
    if not header.isdecimal():
        raise Problem(
            400, "malformed-request", "The request could not be read", "Content-Length is no number"
        )
    if int(header) > MAXIMUM_BODY_BYTES:
        raise too_large(
            f"a request may have {MAXIMUM_BODY_BYTES} bytes: send long videos to the queue (shoal process)"
        )
