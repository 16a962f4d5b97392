"""A manifest: a list of up to 100,000 videos, taken on at once and recorded line by line."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict

from shoal import table
from shoal.jobs.manifest_lines import Form

PREFIX = "MANIFEST#"
TYPE = "manifest"
"""In the index ``by-type`` while it is read."""


class ManifestStatus(StrEnum):
    READING = "READING"
    DONE = "DONE"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


READING = {":reading": str(ManifestStatus.READING)}
"""For the conditions that only one that is read may change."""


class WrongLine(BaseModel):
    """A line that asks for nothing that can be done; lines count from 1."""

    line: int
    detail: str


class Manifest(BaseModel):
    """How far a manifest is.

    Of the ``read`` lines ``new`` became jobs that wait, ``known`` are done or on their way already,
    ``missing`` name a video that is not there (a FAILED job each), ``malformed`` ask for nothing that can be
    done; ``wrong`` names the first of these. Empty lines and a header count as none of them.
    """

    model_config = ConfigDict(extra="ignore")

    manifest_id: str
    uri: str
    job_name: str
    status: ManifestStatus = ManifestStatus.READING
    reason: str = ""
    lines: int
    read: int = 0
    new: int = 0
    known: int = 0
    missing: int = 0
    malformed: int = 0
    wrong: list[WrongLine] = []
    created_at: str
    updated_at: str


class Plan(BaseModel):
    """What its reader needs beside that: the object as it was submitted, and what is said of every video.

    ``basis`` is of the deployment as it was then (:func:`shoal.jobs.identity.basis_of`).
    """

    key: str
    etag: str
    size: int
    args: str = ""
    clean: bool = False
    force: bool = False
    user_name: str = ""
    metadata: dict[str, Any] = {}
    basis: list[str]
    json_lines: bool = False
    columns: list[str] = []

    @property
    def form(self) -> Form:
        return Form(self.json_lines, self.columns)


def key_of(deployment: str, manifest_id: str) -> dict[str, str]:
    return {"pk": table.deployment_key(deployment), "sk": f"{PREFIX}{manifest_id}"}


def item_of(deployment: str, manifest: Manifest, plan: Plan) -> table.Item:
    """The item of one that begins: ``byte_place`` is how far it was read."""
    own: dict[str, Any] = {"type": TYPE, "plan": plan.model_dump_json(), "byte_place": 0}
    return key_of(deployment, manifest.manifest_id) | manifest.model_dump(mode="json") | own
