"""What crosses the queue: the seeds' video message in, a result out."""

from __future__ import annotations

import base64
import json
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from shoal.contracts.status import JobStatus


class JobMessage(BaseModel):
    """The body of a video message, in deepsea-ai's form (its keys, its ``"True"``/``"False"`` strings).

    ``video`` is a key of the data bucket. The hand-made minimal form {video, clean, job_name, user_name} is
    accepted. ``job_id`` and ``deployment`` are ours; a message without them is a job recorded on receipt.
    """

    model_config = ConfigDict(extra="ignore")

    video: str = Field(min_length=1, max_length=1024)
    clean: bool = False
    user_name: str = Field("", max_length=200)
    metadata_b64: str = Field("", max_length=100_000)
    job_name: str = Field("", max_length=200)
    args: str = Field("", max_length=2000)
    job_id: str | None = Field(None, max_length=64)
    deployment: str | None = Field(None, max_length=64)

    @field_validator("clean", mode="before")
    @classmethod
    def _clean_word(cls, value: object) -> object:
        return {"True": True, "False": False}.get(value, value) if isinstance(value, str) else value

    def metadata(self) -> dict[str, Any]:
        """The decoded ``metadata_b64``; empty when absent."""
        decoded = json.loads(base64.b64decode(self.metadata_b64)) if self.metadata_b64 else {}
        return decoded if isinstance(decoded, dict) else {"value": decoded}

    def to_body(self) -> str:
        """The JSON text for SQS, spelled as the seeds spell it."""
        body = self.model_dump(exclude_none=True) | {"clean": str(self.clean)}
        if not self.args:
            body.pop("args")
        return json.dumps(body)


class JobRecord(BaseModel):
    """One video as the API answers it and as the jobs table keeps it.

    ``video`` and ``result`` (the archive, once safe) are keys of the data bucket; ``seconds`` is wall time.
    ``dive`` names the sums that its end is counted in, ``work`` what the job is (:mod:`shoal.jobs.identity`).
    ``attempts`` is the fencing token: only the newest attempt may end the job.
    """

    model_config = ConfigDict(extra="ignore")

    job_id: str
    deployment: str
    video: str
    job_name: str = ""
    user_name: str = ""
    dive: str = ""
    work: str = ""
    status: JobStatus = JobStatus.QUEUED
    reason: str = ""
    attempts: int = 0
    result: str | None = None
    frames: int | None = None
    tracks: int | None = None
    seconds: float | None = None
    footage_seconds: float | None = None
    created_at: str = ""
    updated_at: str = ""


def job_key(deployment: str, job_id: str) -> dict[str, str]:
    """The key of a job's item in the deployments table; the worker writes its status there."""
    return {"pk": f"DEPLOYMENT#{deployment}", "sk": f"JOB#{job_id}"}


def tally_key(deployment: str) -> dict[str, str]:
    """The key of a deployment's sums over ended jobs: what they held, what they took, when one ended last."""
    return {"pk": f"DEPLOYMENT#{deployment}", "sk": "TALLY"}


def dive_key(deployment: str, job_name: str) -> dict[str, str]:
    """The key of a dive's sums: the jobs that were submitted under one ``job_name``."""
    return {"pk": f"DEPLOYMENT#{deployment}", "sk": f"DIVE#{job_name}"}


def result_key(video: str) -> str:
    """``videos/<deployment>/<path>/<stem>.mp4`` -> ``tracks/<deployment>/<path>/<stem>.tracks.tar.gz``."""
    head, _, tail = video.rpartition("/")
    folder = head.removeprefix("videos/") if head != "videos" else ""
    stem = tail.rsplit(".", 1)[0] or tail
    return "/".join(part for part in ("tracks", folder, f"{stem}.tracks.tar.gz") if part)
