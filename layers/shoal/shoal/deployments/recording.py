"""What the deployment_status step records: the status, why, and where the deployment can be reached."""

from __future__ import annotations

import json
from typing import Any

from shoal.contracts.leftover import Leftover, cost_in_words, total
from shoal.contracts.status import DeploymentStatus
from shoal.deployments import ledger, leftovers, store
from shoal.deployments.steps import StepInput, scope_of
from shoal.settings import settings

_S = DeploymentStatus
_UPDATED = frozenset({_S.UPDATING, _S.UPDATE_ROLLING_BACK})
_OF_UPDATE = {
    _S.DEPLOYING: _S.UPDATING,
    _S.ROLLING_BACK: _S.UPDATE_ROLLING_BACK,
    _S.ROLLBACK_FAILED: _S.UPDATE_ROLLBACK_FAILED,
}
_OF_START = {
    _S.DEPLOYING: _S.STARTING,
    _S.ROLLING_BACK: _S.STOPPING,
    _S.ROLLBACK_FAILED: _S.STOPPING,
    _S.FAILED: _S.STOPPED,
}
_MEANS: dict[DeploymentStatus, dict[DeploymentStatus, DeploymentStatus]] = {
    _S.UPDATING: _OF_UPDATE,
    _S.UPDATE_ROLLING_BACK: _OF_UPDATE,
    _S.UPDATE_ROLLBACK_FAILED: {_S.ROLLBACK_FAILED: _S.UPDATE_ROLLBACK_FAILED},
    _S.STARTING: _OF_START,
    _S.STOPPING: _OF_START,
    _S.STOPPED: {_S.FAILED: _S.STOPPED},
    _S.READY: {_S.FAILED: _S.READY},
}
"""One state machine deploys, updates and starts; what its steps say is read against where the deployment is.

The last three lines are for a step whose answer was lost and that is asked again.
"""

_LONGEST_REASON = 2000
_WITHOUT_RESOURCES = frozenset({DeploymentStatus.FAILED, DeploymentStatus.DELETED})
_WITH_LEFTOVERS = frozenset({DeploymentStatus.ROLLBACK_FAILED, DeploymentStatus.DELETE_INCOMPLETE})


class StatusInput(StepInput):
    """``error`` is the object of a Catch: ``{"Error": ..., "Cause": ...}``."""

    become: DeploymentStatus
    error: dict[str, Any] | None = None
    reason: str | None = None


def record(
    payload: StatusInput, actor: str = "deployment_status", **facts: str | int | None
) -> DeploymentStatus:
    """Move the deployment to ``become``, or to what that means for an update or a start (:data:`_MEANS`).

    ``facts`` are further fields to write.

    Raises:
        StaleWriter: a newer generation owns the deployment.
        Conflict: the transition table does not allow it.
    """
    current = store.owned(payload.deployment, payload.generation)
    if current.status in _UPDATED and payload.become is _S.FAILED:
        return store.return_to_good(current.name, current.generation, actor, _reason(payload))
    become = _MEANS.get(current.status, {}).get(payload.become, payload.become)
    payload = payload.model_copy(update={"become": become})
    return store.transition(
        payload.deployment,
        payload.generation,
        payload.become,
        actor=actor,
        reason=_reason(payload),
        **_facts(payload),
        **facts,
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
        left = _left(payload.deployment)
        words = ", ".join(f"{one.kind} {one.name}" for one in left) or "see the last pass"
        cost = cost_in_words(total([one.usd_per_hour for one in left]))
        reason = f"{reason or store.get(payload.deployment).reason}; left, for {cost}: {words}"
    return reason[:_LONGEST_REASON] if reason is not None else None


def _left(name: str) -> list[Leftover]:
    """What the last pass left; the ledger where none of them came to its end."""
    deployment = store.get(name)
    return deployment.leftovers or leftovers.of_ledger(ledger.entries(name), scope_of(deployment))


def _facts(payload: StatusInput) -> dict[str, str | None]:
    """The endpoint and the queue appear with READY and disappear with the resources."""
    if payload.become in _WITHOUT_RESOURCES:
        return {"endpoint": None, "queue_url": None, "leftovers": None}
    if payload.become in _WITH_LEFTOVERS:
        return {"leftovers": leftovers.as_text(_left(payload.deployment))}
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
