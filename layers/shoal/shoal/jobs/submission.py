"""A request to track videos, and the messages it means: deepsea's form, one for each video."""

from __future__ import annotations

import base64
import json
import re
import unicodedata
import uuid
from datetime import UTC, datetime
from typing import Any

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, field_validator, model_validator

from shoal.contracts.job import JobMessage
from shoal.contracts.names import S3Uri, split_s3_uri
from shoal.errors import InvalidRequest

MAXIMUM_VIDEOS = 1000
FOLDER = "videos/"
SUFFIXES = frozenset({".mov", ".avi", ".mp4", ".mpg", ".mpeg", ".m4v", ".wmv", ".mkv"})
"""What deepsea-ai accepts."""

_LONGEST_KEY_BYTES = 1024
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


class Submission(BaseModel):
    """The body of ``POST /deploy/{name}/jobs``; a single ``video`` is accepted for ``videos``.

    For more videos than fit into a body ``manifest`` names an object that lists them.
    """

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    videos: list[str] = Field(
        default=[],
        max_length=MAXIMUM_VIDEOS,
        validation_alias=AliasChoices("videos", "video"),
        description="keys of the data bucket below videos/, or s3:// URIs there",
    )
    manifest: S3Uri | None = Field(
        None, description="of the data bucket, below manifests/: CSV or JSON lines, a video each"
    )
    job_name: str = Field("", max_length=200, description="a name for the dive")
    args: str = Field("", max_length=2000, description="detector arguments, such as --conf-thres=0.1")
    force: bool = Field(False, description="track again what is tracked already")
    clean: bool = Field(False, description="remove each video once its result is safe")
    user_name: str = Field("", max_length=200)
    metadata: dict[str, Any] = Field(default={}, description="travels with the job, at most 64 KiB as JSON")

    @field_validator("videos", mode="before")
    @classmethod
    def _one_or_many(cls, value: object) -> object:
        return [value] if isinstance(value, str) else value

    @field_validator("clean", mode="before")
    @classmethod
    def _clean_word(cls, value: object) -> object:
        return {"True": True, "False": False}.get(value, value) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _names_videos(self) -> Submission:
        if bool(self.videos) == bool(self.manifest):
            raise ValueError("videos or manifest: name one video at least, or one list of them")
        return self


def messages_of(submission: Submission, deployment: str, bucket: str) -> list[JobMessage]:
    """One message for each video, in order.

    Raises:
        InvalidRequest: naming each video that is none, lies elsewhere, or comes twice.
    """
    keys = _keys(submission.videos, bucket)
    stamp = datetime.now(UTC).strftime("%Y%m%dt%H%M%S")
    return [
        JobMessage(
            video=key,
            clean=submission.clean,
            user_name=submission.user_name,
            metadata_b64=encoded(submission.metadata),
            job_name=submission.job_name,
            args=submission.args,
            job_id=f"{stamp}-{number:04d}-{uuid.uuid4().hex[:12]}",
            deployment=deployment,
        )
        for number, key in enumerate(keys)
    ]


def _keys(videos: list[str], bucket: str) -> list[str]:
    keys: dict[str, int] = {}
    wrong: list[dict[str, str]] = []
    for number, video in enumerate(videos):
        key, fault = key_of(video, bucket)
        fault = fault or (f"it is the same as videos.{keys[key]}" if key in keys else "")
        if fault:
            wrong.append({"field": f"videos.{number}", "detail": fault})
        keys.setdefault(key, number)
    if wrong:
        raise InvalidRequest(f"{len(wrong)} of {len(videos)} videos cannot be tracked", wrong)
    return list(keys)


def key_of(video: str, bucket: str) -> tuple[str, str]:
    """The key of a video, and what is wrong with it (empty when nothing is)."""
    key = video
    if video.startswith("s3://"):
        where, key = split_s3_uri(video)
        if where != bucket:
            return key, f"upload it to the bucket {bucket} first; bucket {where[:63]} is another"
    parts = key.split("/")
    if not key.startswith(FOLDER) or {"", ".", ".."} & set(parts):
        return key, f"give a key such as {FOLDER}<deployment>/dive.mp4, without empty or dot parts"
    if _CONTROL.search(key) or unicodedata.normalize("NFC", key) != key:
        return key, "the key may hold no control characters and only composed ones: rename it"
    if len(key.encode()) > _LONGEST_KEY_BYTES:
        return key, f"the key is longer than {_LONGEST_KEY_BYTES} bytes: rename it"
    if not any(parts[-1].lower().endswith(suffix) for suffix in SUFFIXES):
        return key, "it is no video: accepted are " + " ".join(sorted(SUFFIXES))
    return key, ""


def encoded(given: dict[str, Any]) -> str:
    """As deepsea-ai sends it: base64 of JSON that holds at least a ``message_uuid``."""
    text = json.dumps({"message_uuid": str(uuid.uuid4())} | given)
    if len(text) > 65_536:
        detail = "at most 64 KiB as JSON: store the rest beside the video"
        raise InvalidRequest(f"metadata: {detail}", [{"field": "metadata", "detail": detail}])
    return base64.b64encode(text.encode()).decode()
