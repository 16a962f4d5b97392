"""The forms of a prediction request: multipart ``image`` or ``video``, JSON ``image_b64``, a raw image."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from tempfile import NamedTemporaryFile
from typing import Any

from fastapi import Request
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from shoal_worker.service.limits import MAXIMUM_IMAGE_BYTES, MAXIMUM_VIDEO_BYTES, check_declared_length
from shoal_worker.service.problems import Problem, malformed, too_large

_HOW = (
    'send multipart/form-data with a file named image or video, JSON {"image_b64": "..."}, '
    "or the image itself with Content-Type image/png"
)
_VIDEO_SUFFIXES = frozenset({".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v", ".ts"})


@dataclass(frozen=True)
class Upload:
    """Exactly one of the two is set; ``video`` is a temporary file that its user removes."""

    image: bytes | None = None
    video: Path | None = None


async def read_upload(request: Request, folder: Path) -> Upload:
    """What a prediction request carries.

    Raises:
        Problem: 400, 413 or 415, each saying what to send.
    """
    check_declared_length(request.headers.get("content-length"))
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        return await _multipart(request, folder)
    if kind == "application/json":
        return Upload(image=_from_json(await request.body()))
    if kind.startswith("image/") or kind == "application/octet-stream":
        return Upload(image=_image(await request.body()))
    raise Problem(415, "unsupported-media", "The format is not supported", _HOW)


def _image(data: bytes) -> bytes:
    if not data:
        raise malformed(f"the image is empty: {_HOW}")
    if len(data) > MAXIMUM_IMAGE_BYTES:
        raise too_large(
            f"the image has {len(data)} bytes, at most {MAXIMUM_IMAGE_BYTES} are taken: compress it"
        )
    return data


def _from_json(body: bytes) -> bytes:
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise malformed(f"the body is not JSON: {_HOW}") from error
    text = parsed.get("image_b64") if isinstance(parsed, dict) else None
    if not isinstance(text, str):
        raise malformed('image_b64 is missing: send {"image_b64": "<base64 of the image file>"}')
    try:
        return _image(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError) as error:
        raise malformed(
            "image_b64 is not base64: encode the image file with base64, no line breaks"
        ) from error


async def _multipart(request: Request, folder: Path) -> Upload:
    try:
        async with request.form(max_files=1, max_fields=8) as form:
            given = {name: part for name, part in form.items() if isinstance(part, UploadFile)}
            if "image" in given:
                return Upload(image=_image(await given["image"].read(MAXIMUM_IMAGE_BYTES + 1)))
            if "video" in given:
                return Upload(video=await _keep(given["video"], folder))
    except HTTPException as broken:
        raise malformed(f"{broken.detail} Or: {_HOW}") from broken
    raise malformed(f"there is no file named image or video in the form: {_HOW}")


async def _keep(part: Any, folder: Path) -> Path:
    suffix = PurePosixPath(part.filename or "").suffix.lower()
    if part.size is not None and part.size > MAXIMUM_VIDEO_BYTES:
        raise too_large(f"a video may have {MAXIMUM_VIDEO_BYTES} bytes here: use the queue (shoal process)")
    folder.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile(
        dir=folder, suffix=suffix if suffix in _VIDEO_SUFFIXES else "", delete=False
    ) as file:
        while chunk := await part.read(1024 * 1024):
            file.write(chunk)
    return Path(file.name)
