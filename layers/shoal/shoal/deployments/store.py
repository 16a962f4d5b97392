"""Deployments in DynamoDB: claimed by a conditional write, changed along the transition table, never twice.

A *revision* counts the specifications of a deployment, a *generation* its writers (one deploys, one deletes).
Only the newest generation may change anything: every write is conditional on it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from shoal import table
from shoal.contracts.deployment import Adjustment, DeploymentSpec
from shoal.contracts.status import DeploymentStatus
from shoal.deployments.model import Claim, Deployment, Event
from shoal.errors import Conflict, NotFound, Retryable, StaleWriter

_TYPE = "deployment"
_SURE = 5
"""Attempts of a read-then-conditional-write; each loses only to another writer that succeeded."""


def claim(spec: DeploymentSpec, actor: str, adjustments: Sequence[Adjustment] = ()) -> Claim:
    """Take the name for this specification, or find that it is already taken by the very same one.

    ``spec`` must be resolved: ``model_location`` set, and ``image`` where the registered version names one.

    Raises:
        Conflict: the name serves another specification, or is being removed.
    """
    for _ in range(_SURE):
        current = find(spec.name)
        if current and not current.status.can_become(DeploymentStatus.ACCEPTED):
            return _same_or_conflict(current, spec)
        if current and current.status is DeploymentStatus.READY:
            return _same_or_conflict(current, spec)
        taken = _take(current, spec, actor, adjustments)
        if taken:
            return taken
    raise Retryable(f"several requests claim {spec.name} at once: try again")


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


def at(name: str, revision: int, generation: int) -> Deployment:
    """The deployment as a step of the state machine must find it.

    Raises:
        StaleWriter: a newer generation owns it.
    """
    found = get(name)
    if (found.revision, found.generation) != (revision, generation):
        raise StaleWriter(
            f"{name} is at revision {found.revision}, generation {found.generation}; "
            f"this step belongs to revision {revision}, generation {generation} and is dropped"
        )
    return found


def list_deployments(limit: int = 50, after: str | None = None) -> tuple[list[Deployment], str | None]:
    """A page of deployments by name, and the name to give as ``after`` for the next (None at the end)."""
    start = table.state_key(after) | {"type": _TYPE} if after else None
    items, last = table.query_by_type(_TYPE, limit, start)
    return [Deployment.from_item(item) for item in items], last["pk"].removeprefix(
        "DEPLOYMENT#"
    ) if last else None


def events(name: str, limit: int = 50) -> list[Event]:
    """The newest ``limit`` events of a deployment, newest first."""
    found = table.query(table.deployment_key(name), table.EVENTS, newest_first=True, limit=limit)
    return [Event.model_validate(item) for item in found]


def events_after(name: str, after: str, limit: int) -> list[Event]:
    """The first ``limit`` events after the id or time ``after`` (empty: from the beginning), oldest first."""
    found = table.query_after(table.deployment_key(name), table.EVENTS, after, limit)
    return [Event.model_validate(item) for item in found]


def begin_deletion(name: str, actor: str, again: bool = False) -> int:
    """Hand the deployment to a deletion and answer its generation; whoever deploys it now is fenced off.

    Already DELETING answers the generation of that deletion, so that a repeated request changes nothing;
    ``again`` takes it over with a new generation (its execution ended without finishing).

    Raises:
        NotFound: there never was one, or it is already deleted.
    """
    for _ in range(_SURE):
        current = get(name)
        if current.status is DeploymentStatus.DELETED:
            raise NotFound(f"there is no deployment {name}: it was deleted at {current.updated_at}")
        if current.status is DeploymentStatus.DELETING and not again:
            return current.generation
        generation = current.generation + 1
        if _move(current, DeploymentStatus.DELETING, actor, {"generation": generation, "reason": ""}):
            return generation
    raise Retryable(f"several requests change {name} at once: try again")


def take_over(current: Deployment, becomes: DeploymentStatus, actor: str, reason: str) -> int | None:
    """Hand a deployment to a new generation and answer it; None when another writer was faster.

    Raises:
        Conflict: the transition table does not allow ``becomes``.
    """
    generation = current.generation + 1
    fields = {"generation": generation, "reason": reason}
    return generation if _move(current, becomes, actor, fields) else None


def record_execution(name: str, generation: int, execution_arn: str) -> None:
    """Remember which execution works on the deployment.

    Raises:
        StaleWriter: a newer generation owns it.
    """
    _update_owned(name, generation, {"execution_arn": execution_arn})


def record_facts(name: str, generation: int, **facts: str | None) -> None:
    """Write ``endpoint`` and ``queue_url`` as soon as they are known.

    Raises:
        StaleWriter: a newer generation owns it.
    """
    _update_owned(name, generation, dict(facts))


def record_waiting(name: str, generation: int, actor: str, reason: str) -> None:
    """Say what a deployment that is being worked on waits for, with an event; its status stays.

    Raises:
        StaleWriter: a newer generation owns it.
    """
    change = _update(name, {"reason": reason}, "generation = :expected", {":expected": generation})
    try:
        table.write(change, table.event(name, actor, "WAITING", reason))
    except table.ConditionFailed as error:
        raise StaleWriter(f"generation {generation} of {name} is no longer the newest") from error


def transition(
    name: str,
    generation: int,
    later: DeploymentStatus,
    actor: str,
    reason: str | None = None,
    **facts: str | None,
) -> DeploymentStatus:
    """Move along the transition table; being there already is success, so that a retried step is harmless.

    ``reason=None`` keeps the one that is written. ``facts`` are further fields (``endpoint``, ``queue_url``).

    Raises:
        StaleWriter: a newer generation owns it.
        Conflict: the table does not allow this change.
    """
    for _ in range(_SURE):
        current = get(name)
        if current.generation != generation:
            raise StaleWriter(f"generation {generation} of {name} is no longer the newest")
        if current.status is later:
            return later
        if not current.status.can_become(later):
            raise Conflict(f"{name} is {current.status} and cannot become {later}")
        fields: dict[str, Any] = dict(facts) if reason is None else {"reason": reason, **facts}
        if _move(current, later, actor, fields):
            return later
    raise Retryable(f"several writers change {name} at once: try again")


def _same_or_conflict(current: Deployment, spec: DeploymentSpec) -> Claim:
    alive = current.status in {
        DeploymentStatus.ACCEPTED,
        DeploymentStatus.DEPLOYING,
        DeploymentStatus.READY,
    }
    if alive and current.spec == spec:
        return Claim(revision=current.revision, generation=current.generation, created=False)
    raise Conflict(
        f"{spec.name} is {current.status} with another specification or is being removed: "
        f"delete it first (DELETE /deploy/{spec.name}) or choose another name"
    )


def _take(
    current: Deployment | None, spec: DeploymentSpec, actor: str, adjustments: Sequence[Adjustment]
) -> Claim | None:
    """The claim, or None when another writer was faster."""
    taken = Claim(
        revision=current.revision + 1 if current else 1, generation=current.generation + 1 if current else 1
    )
    time = table.now()
    item = table.state_key(spec.name) | {
        "type": _TYPE,
        "name": spec.name,
        "status": str(DeploymentStatus.ACCEPTED),
        "reason": "",
        "revision": taken.revision,
        "generation": taken.generation,
        "spec": spec.model_dump_json(),
        "adjustments": json.dumps([adjustment.model_dump() for adjustment in adjustments]),
        "created_at": time,
        "updated_at": time,
    }
    put: dict[str, Any] = {"Item": item, "ConditionExpression": "attribute_not_exists(pk)"}
    if current:
        put["ConditionExpression"] = "generation = :generation"
        put["ExpressionAttributeValues"] = {":generation": current.generation}
    accepted = table.event(spec.name, actor, DeploymentStatus.ACCEPTED, f"revision {taken.revision}")
    try:
        table.write({"Put": put}, accepted)
    except table.ConditionFailed:
        return None
    return taken


def _move(current: Deployment, later: DeploymentStatus, actor: str, fields: dict[str, Any]) -> bool:
    """Change the status if nobody did since ``current`` was read."""
    if not current.status.can_become(later) and current.status is not later:
        raise Conflict(f"{current.name} is {current.status} and cannot become {later}")
    condition = "generation = :expected_generation AND #status = :expected_status"
    expected = {":expected_generation": current.generation, ":expected_status": str(current.status)}
    change = _update(current.name, {"status": str(later), **fields}, condition, expected)
    reason = str(fields.get("reason") or "")
    try:
        table.write(change, table.event(current.name, actor, later, reason))
    except table.ConditionFailed:
        return False
    return True


def _update_owned(name: str, generation: int, fields: dict[str, Any]) -> None:
    try:
        table.write(_update(name, fields, "generation = :expected", {":expected": generation}))
    except table.ConditionFailed as error:
        raise StaleWriter(f"generation {generation} of {name} is no longer the newest") from error


def _update(name: str, fields: dict[str, Any], condition: str, expected: dict[str, Any]) -> table.Write:
    """An Update of the STATE item; a field that is None is removed."""
    fields = {"updated_at": table.now(), **fields}
    kept = [field for field, value in fields.items() if value is not None]
    gone = [field for field, value in fields.items() if value is None]
    expression = "SET " + ", ".join(f"#{field} = :{field}" for field in kept)
    if gone:
        expression += " REMOVE " + ", ".join(f"#{field}" for field in gone)
    names = {f"#{field}": field for field in fields} | (
        {"#status": "status"} if "#status" in condition else {}
    )
    return {
        "Update": {
            "Key": table.state_key(name),
            "UpdateExpression": expression,
            "ConditionExpression": condition,
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": {f":{field}": fields[field] for field in kept} | expected,
        }
    }
