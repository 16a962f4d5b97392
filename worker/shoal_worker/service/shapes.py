"""The bodies of the HTTP face, as its OpenAPI document describes them; docs/worker-openapi.json is made here:
``python -m shoal_worker.service.shapes > docs/worker-openapi.json``.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field


class Health(BaseModel):
    """``status`` ok with 200, starting with 503."""

    status: Literal["ok", "starting"]
    reason: str = ""


class ModelDescription(BaseModel):
    """The loaded model; ``input`` is its usual (width, height)."""

    name: str
    sha256: str
    classes: int
    input: list[int]


class Status(BaseModel):
    """What the worker is and does; ``current`` is the queued video under way."""

    ready: bool
    reason: str
    uptime_seconds: float
    model: ModelDescription | None
    backend: str | None
    counts: dict[str, int]
    current: dict[str, Any] | None


class Box(BaseModel):
    """Pixels from the top left corner of the image."""

    x: float
    y: float
    width: float
    height: float
    confidence: float = Field(ge=0, le=1)
    class_id: int
    class_name: str


class ImageAnswer(BaseModel):
    """Boxes of one image, best first."""

    boxes: list[Box]
    width: int
    height: int
    model: str
    milliseconds: float
    milliseconds_reading: float


class TrackBox(BaseModel):
    """One frame of a track; frames count from 1."""

    frame: int
    x: float
    y: float
    width: float
    height: float
    confidence: float


class Track(BaseModel):
    """One animal from its first to its last frame."""

    track_id: int
    class_name: str
    first_frame: int
    last_frame: int
    frame_count: int
    confidence: float
    boxes: list[TrackBox]


class VideoAnswer(BaseModel):
    """Tracks of one short video."""

    tracks: list[Track]
    frames: int
    width: int
    height: int
    fps: float
    model: str
    milliseconds: float
    milliseconds_reading: float


class ProblemDetails(BaseModel):
    """RFC 9457; ``code`` is stable, ``detail`` says what to do."""

    type: str
    title: str
    status: int
    detail: str
    code: str


_BINARY = {"type": "string", "format": "binary"}
PREDICT_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "an image (PNG, JPEG, WebP, BMP) in one of four forms, or a short video",
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {"image": _BINARY, "video": _BINARY},
                    "minProperties": 1,
                    "additionalProperties": False,
                }
            },
            "application/json": {
                "schema": {
                    "type": "object",
                    "properties": {"image_b64": {"type": "string", "contentEncoding": "base64"}},
                    "required": ["image_b64"],
                }
            },
            **{f"image/{kind}": {"schema": _BINARY} for kind in ("png", "jpeg", "webp", "bmp")},
            "application/octet-stream": {"schema": _BINARY},
        },
    }
}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The problem answers of an operation, by status."""
    meaning = {
        400: "the request cannot be read",
        413: "too many bytes, pixels or frames",
        415: "not a format that is taken",
        422: "the image or video cannot be decoded",
        503: "not ready, or busy: try again after Retry-After seconds",
    }
    schema = ProblemDetails.model_json_schema()
    return {
        status: {
            "description": meaning[status],
            "content": {"application/problem+json": {"schema": schema}},
        }
        for status in statuses
    }


def document() -> dict[str, Any]:
    """The OpenAPI document of the HTTP face."""
    from shoal_worker.service.endpoint import ServiceState, create_app
    from shoal_worker.service.progress import Activity

    state = ServiceState(Activity(), Path(tempfile.gettempdir()), {})
    return dict(create_app(state).openapi())


if __name__ == "__main__":
    json.dump(document(), sys.stdout, indent=2)
    sys.stdout.write("\n")
