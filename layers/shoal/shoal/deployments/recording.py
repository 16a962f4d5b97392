"""What the deployment_status step records: the status, why, and where the deployment can be reached."""

from __future__ import annotations

import json
from typing import Any

from shoal.contracts.status import DeploymentStatus
from shoal.deployments import ledger, store
from shoal.deployments.steps import StepInput
from shoal.settings import settings

_LONGEST_REASON = 2000
_WITHOUT_RESOURCES = frozenset({DeploymentStatus.FAILED, DeploymentStatus.DELETED})
_WITH_LEFTOVERS = frozenset({DeploymentStatus.ROLLBACK_FAILED, DeploymentStatus.DELETE_INCOMPLETE})


class StatusInput(StepInput):
    """``error`` is the object of a Catch: ``{"Error": ..., "Cause": ...}``."""

    become: DeploymentStatus
    error: dict[str, Any] | None = None
    reason: str | None = None


def record(payload: StatusInput) -> DeploymentStatus:
    """Move the deployment to ``become``.

    Raises:
        StaleWriter: a newer generation owns the deployment.
        Conflict: the transition table does not allow it.
    """
    return store.transition(
        payload.deployment,
        payload.generation,
        payload.become,
        actor="deployment_status",
        reason=_reason(payload),
        **_facts(payload),
    )


def reason_of(error: dict[str, Any]) -> str:
    """A person's reason out of a Catch's object: a Lambda's Cause is JSON with errorType and errorMessage."""
    name, cause = str(error.get("Error", "")), error.get("Cause", "")
    try:
        told = json.loads(cause)
    except (TypeError, ValueError):
        told = cause
    if isinstance(told, dict):
        name, told = told.get("errorType", name), told.get("errorMessage", "")
    return ": ".join(str(part) for part in (name, told) if part)


def _reason(payload: StatusInput) -> str | None:
    reason = payload.reason if payload.error is None else reason_of(payload.error)
    if payload.become is DeploymentStatus.READY:
        reason = reason or ""
    if payload.become in _WITH_LEFTOVERS:
        left = ", ".join(f"{entry.kind} {entry.name}" for entry in ledger.entries(payload.deployment))
        reason = f"{reason or store.get(payload.deployment).reason}; left: {left or 'see the last pass'}"
    return reason[:_LONGEST_REASON] if reason is not None else None


def _facts(payload: StatusInput) -> dict[str, str | None]:
    """The endpoint and the queue appear with READY and disappear with the resources."""
    if payload.become in _WITHOUT_RESOURCES:
        return {"endpoint": None, "queue_url": None}
    if payload.become is not DeploymentStatus.READY:
        return {}
    made = {entry.kind: entry for entry in ledger.entries(payload.deployment)}
    facts: dict[str, str | None] = {}
    if "queue" in made:
        facts["queue_url"] = made["queue"].extra["url"]
    if "listener" in made:
        host = settings().need("load_balancer_dns_name")
        facts["endpoint"] = f"http://{host}:{made['listener'].extra['port']}"
    if "host_rule" in made:
        facts["endpoint"] = f"https://{made['host_rule'].extra['host']}"
    return facts
