"""From the text of a queue message to a video to work on."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from pydantic import ValidationError
from shoal.contracts.job import JobMessage

from shoal_worker.service.errors import BadMessage
from shoal_worker.service.video_queue import Delivery

MAXIMUM_NAME_BYTES = 200


@dataclass(frozen=True)
class VideoJob:
    """One video to work on; ``file_name`` is safe as the name of a local file."""

    job_id: str
    message: JobMessage
    file_name: str


def is_test_event(body: str) -> bool:
    """S3 sends ``s3:TestEvent`` once to a queue that notifications were switched on for."""
    parsed = _json(body)
    return isinstance(parsed, dict) and parsed.get("Event") == "s3:TestEvent"


def read_job(delivery: Delivery, deployment: str) -> VideoJob:
    """The job of a delivery; a message without ``job_id`` gets one that its redeliveries share.

    Raises:
        BadMessage: not JSON, wrong fields, another deployment's, or a key that names no file.
    """
    parsed = _json(delivery.body)
    if not isinstance(parsed, dict):
        raise BadMessage('the message is no JSON object: send {"video": "<key>", "clean": "False", ...}')
    given_id = parsed.get("job_id")
    job_id = given_id if isinstance(given_id, str) and 0 < len(given_id) <= 64 else None
    try:
        message = JobMessage.model_validate(parsed)
        message.metadata()
    except ValidationError as invalid:
        raise BadMessage(f"the message has wrong fields: {_fields(invalid)}", job_id) from invalid
    except ValueError as invalid:
        raise BadMessage(
            "metadata_b64 is not base64 of JSON: send it so, or leave it out", job_id
        ) from invalid
    if message.deployment not in {None, deployment}:
        raise BadMessage(f"the message is for {message.deployment}, this queue is {deployment}'s", job_id)
    name = _file_name(message.video, job_id)
    return VideoJob(message.job_id or f"message-{delivery.message_id}", message, name)


def _json(body: str) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _fields(invalid: ValidationError) -> str:
    return "; ".join(
        f"{'.'.join(map(str, error['loc']))}: {error['msg']}" for error in invalid.errors(include_url=False)
    )


def _file_name(key: str, job_id: str | None) -> str:
    name = PurePosixPath(key).name
    printable = name.isprintable() and "\\" not in name
    if key.endswith("/") or not printable or name in {"", ".."} or len(name.encode()) > MAXIMUM_NAME_BYTES:
        raise BadMessage(
            f"video {key!r} names no file: send an object's key ending in a name of 1 to "
            f"{MAXIMUM_NAME_BYTES} printable characters",
            job_id,
        )
    return name
