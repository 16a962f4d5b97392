"""What the deployments table answers."""

from __future__ import annotations

import json
from typing import Any

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
    """One deployment as the table keeps it."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    name: str
    status: DeploymentStatus
    reason: str = ""
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

    @classmethod
    def from_item(cls, item: dict[str, Any]) -> Deployment:
        """The item of the table; ``spec`` and ``adjustments`` are JSON text there."""
        texts = {key: json.loads(item.get(key, "[]")) for key in ("spec", "adjustments", "leftovers")}
        return cls.model_validate(item | texts)


class Event(BaseModel):
    """One line of a deployment's history: ``actor`` made ``target`` become ``status``, for ``reason``.

    ``actor`` is the caller's IAM principal or a step of the state machine. ``target`` is ``deployment``, with
    one of its statuses or WAITING, or a resource (``cluster shoal-dev-reef``) that became MADE, REFUSED or
    REMOVED. ``id`` sorts by time and is what ``?after=`` takes.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    id: str = ""
    time: str
    actor: str
    target: str = "deployment"
    status: str
    reason: str = ""
