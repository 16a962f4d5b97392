"""What the deployments table answers."""

from __future__ import annotations

import json
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from shoal.contracts.deployment import Adjustment, DeploymentSpec
from shoal.contracts.leftover import Leftover
from shoal.contracts.status import DeploymentStatus


class Claim(BaseModel):
    """Who may work: ``revision`` names the specification, ``generation`` the writer.

    ``created`` is False when the same specification is being deployed or is ready: nothing was changed.
    """

    model_config = ConfigDict(frozen=True)

    revision: int
    generation: int
    created: bool = True


class Deployment(BaseModel):
    """One deployment as the table keeps it.

    ``revision`` is the wanted one, ``good_revision`` the last that was READY (0: none yet),
    ``first_revision`` the one that made the resources, ``last_revision`` the highest number given. ``uses``
    says, by kind, which revision made the task definition and the launch template version that are wanted.
    ``fleet_reason`` is what keeps its fleet from working (:mod:`shoal.deployments.fleet_reason`).
    ``untold`` is the generation that ``recovery`` gave up and has not mailed yet (0: none).
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    name: str
    status: DeploymentStatus
    reason: str = ""
    fleet_reason: str = ""
    revision: int
    generation: int
    spec: DeploymentSpec
    adjustments: list[Adjustment] = []
    endpoint: str | None = None
    queue_url: str | None = None
    execution_arn: str | None = None
    leftovers: list[Leftover] = []
    created_at: str = ""
    updated_at: str = ""
    first_revision: int = 1
    last_revision: int = 0
    good_revision: int = 0
    uses: dict[str, int] = {}
    untold: int = 0

    @property
    def said(self) -> str:
        """Its reason for a person: while its workers may run, with what keeps them from it."""
        parts = (self.reason, self.fleet_reason if self.status.is_live() else "")
        return "; ".join(part for part in parts if part)

    @classmethod
    def from_item(cls, item: dict[str, Any]) -> Deployment:
        """The item of the table; ``spec`` and ``adjustments`` are JSON text there."""
        texts = {key: json.loads(item.get(key, "[]")) for key in ("spec", "adjustments", "leftovers")}
        return cls.model_validate(item | texts)


class Revision(BaseModel):
    """One specification of a deployment. ``ready_at`` is empty until it was READY once."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    revision: int
    spec: DeploymentSpec
    adjustments: list[Adjustment] = []
    uses: dict[str, int] = {}
    created_at: str = ""
    ready_at: str = ""

    @classmethod
    def from_item(cls, item: dict[str, Any]) -> Revision:
        texts = {"spec": json.loads(item["spec"]), "adjustments": json.loads(item.get("adjustments", "[]"))}
        return cls.model_validate(item | texts)


class Change(BaseModel):
    """One piece of work on a deployment: who wanted which revision, when, why, and what became of it.

    ``outcome`` is empty while it is under way or when a newer change overtook it.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    generation: int
    revision: int
    action: Literal["deploy", "update", "rollback", "stop", "start"]
    actor: str
    reason: str = ""
    time: str
    outcome: str = ""
    outcome_reason: str = ""
    ended_at: str = ""


class Event(BaseModel):
    """One line of a deployment's history: ``actor`` made ``target`` become ``status``, for ``reason``.

    ``actor`` is the caller's IAM principal or a step of the state machine. ``target`` is ``deployment``, with
    one of its statuses or WAITING, or a resource (``cluster shoal-dev-reef``) that became MADE, ADJUSTED,
    REFUSED or REMOVED. ``id`` sorts by time and is what ``?after=`` takes.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    id: str = ""
    time: str
    actor: str
    target: str = "deployment"
    status: str
    reason: str = ""
