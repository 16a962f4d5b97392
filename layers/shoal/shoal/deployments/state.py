"""The ``STATE`` item of a deployment: read strongly, changed only along the transition table."""

from __future__ import annotations

from typing import Any

from shoal import table
from shoal.contracts.status import DeploymentStatus
from shoal.deployments.model import Deployment
from shoal.errors import Conflict, NotFound, StaleWriter

ATTEMPTS = 5
"""Attempts of a read-then-conditional-write; each loses only to another writer that succeeded."""


def find(name: str) -> Deployment | None:
    """The deployment, or None; a deleted one is still found, as DELETED. Strongly consistent."""
    item = table.read(table.state_key(name))
    return Deployment.from_item(item) if item else None


def get(name: str) -> Deployment:
    """The deployment; a deleted one is still found, as DELETED.

    Raises:
        NotFound: there never was one.
    """
    found = find(name)
    if found is None:
        raise NotFound(f"there is no deployment {name}: GET /deploy lists them")
    return found


def move(
    current: Deployment, later: DeploymentStatus, actor: str, fields: dict[str, Any], *more: table.Write
) -> bool:
    """Change the status, with ``more`` in the same transaction, if nobody did since ``current`` was read.

    Raises:
        Conflict: the transition table does not allow it.
    """
    if not current.status.can_become(later) and current.status is not later:
        raise Conflict(f"{current.name} is {current.status} and cannot become {later}")
    condition = "generation = :expected_generation AND #status = :expected_status"
    expected = {":expected_generation": current.generation, ":expected_status": str(current.status)}
    change = _update(current.name, {"status": str(later), **fields}, condition, expected)
    reason = str(fields.get("reason") or "")
    try:
        table.write(change, table.event(current.name, actor, later, reason), *more)
    except table.ConditionFailed:
        return False
    return True


def update_owned(name: str, generation: int, fields: dict[str, Any], *more: table.Write) -> None:
    """Write fields that leave the status as it is, with ``more`` in the same transaction.

    Raises:
        StaleWriter: a newer generation owns the deployment.
    """
    try:
        table.write(_update(name, fields, "generation = :expected", {":expected": generation}), *more)
    except table.ConditionFailed as error:
        raise StaleWriter(f"generation {generation} of {name} is no longer the newest") from error


def _update(name: str, fields: dict[str, Any], condition: str, expected: dict[str, Any]) -> table.Write:
    return table.update(table.state_key(name), {"updated_at": table.now(), **fields}, condition, expected)
