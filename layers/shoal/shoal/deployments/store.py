"""Deployments in DynamoDB: claimed by a conditional write, changed along the transition table, never twice.

A *revision* counts the specifications of a deployment, a *generation* its writers (one deploys, one deletes).
Only the newest generation may change anything: every write is conditional on it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from shoal import table
from shoal.contracts.deployment import Adjustment, DeploymentSpec
from shoal.contracts.status import DeploymentStatus
from shoal.deployments import changes, revisions
from shoal.deployments.model import Change, Claim, Deployment, Event, Revision
from shoal.deployments.state import ATTEMPTS, find, get, move, update_owned
from shoal.errors import Conflict, NotFound, Retryable, StaleWriter

__all__ = [
    "at",
    "begin_deletion",
    "claim",
    "events",
    "events_after",
    "every_deployment",
    "find",
    "get",
    "list_deployments",
    "owned",
    "record_execution",
    "record_facts",
    "record_waiting",
    "return_to_good",
    "take_over",
    "transition",
]

_S = DeploymentStatus
_TYPE = "deployment"
_SAME = frozenset({_S.ACCEPTED, _S.DEPLOYING, _S.READY, _S.UPDATING, _S.STARTING, _S.STOPPING, _S.STOPPED})
"""In these a repeated request for the same specification changes nothing."""
_PAGE = 100


def claim(spec: DeploymentSpec, actor: str, adjustments: Sequence[Adjustment] = ()) -> Claim:
    """Take the name for this specification, update what has it, or find that it has this very specification.

    ``spec`` must be resolved: ``model_location`` set, and ``image`` where the registered version names one.

    Raises:
        Conflict: it is being changed or removed, is stopped, or cannot change so in place.
    """
    for _ in range(ATTEMPTS):
        current = find(spec.name)
        if current and current.status in _SAME and current.spec == spec:
            return Claim(revision=current.revision, generation=current.generation, created=False)
        if current and not current.status.can_become(DeploymentStatus.ACCEPTED):
            taken = changes.update(current, spec, actor, adjustments)
        else:
            taken = _take(current, spec, actor, adjustments)
        if taken:
            return taken
    raise Retryable(f"several requests claim {spec.name} at once: try again")


def at(name: str, revision: int, generation: int) -> Deployment:
    """The deployment as a step of the state machine must find it; the generation decides.

    An update that failed is READY with the revision before: its last steps still name their own.

    Raises:
        StaleWriter: a newer generation owns it.
    """
    found = get(name)
    if found.generation != generation:
        raise StaleWriter(
            f"{name} is at revision {found.revision}, generation {found.generation}; "
            f"this step belongs to revision {revision}, generation {generation} and is dropped"
        )
    return found


def owned(name: str, generation: int) -> Deployment:
    """The deployment, if this generation still owns it.

    Raises:
        StaleWriter: a newer one does.
    """
    found = get(name)
    if found.generation != generation:
        raise StaleWriter(f"generation {generation} of {name} is no longer the newest")
    return found


def list_deployments(limit: int = 50, after: str | None = None) -> tuple[list[Deployment], str | None]:
    """A page of deployments by name, and the name to give as ``after`` for the next (None at the end)."""
    start = table.state_key(after) | {"type": _TYPE} if after else None
    items, last = table.query_by_type(_TYPE, limit, start)
    return [Deployment.from_item(item) for item in items], last["pk"].removeprefix(
        "DEPLOYMENT#"
    ) if last else None


def every_deployment() -> Iterator[Deployment]:
    """All deployments by name, read page by page."""
    after = None
    while True:
        page, after = list_deployments(_PAGE, after)
        yield from page
        if after is None:
            return


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
    for _ in range(ATTEMPTS):
        current = get(name)
        if current.status is DeploymentStatus.DELETED:
            raise NotFound(f"there is no deployment {name}: it was deleted at {current.updated_at}")
        if current.status is DeploymentStatus.DELETING and not again:
            return current.generation
        generation = current.generation + 1
        if move(current, DeploymentStatus.DELETING, actor, {"generation": generation, "reason": ""}):
            return generation
    raise Retryable(f"several requests change {name} at once: try again")


def take_over(current: Deployment, becomes: DeploymentStatus, actor: str, reason: str) -> int | None:
    """Hand a deployment to a new generation and answer it; None when another writer was faster.

    Raises:
        Conflict: the transition table does not allow ``becomes``.
    """
    generation = current.generation + 1
    fields = {"generation": generation, "reason": reason}
    writes = revisions.handed_on(current, generation)
    return generation if move(current, becomes, actor, fields, *writes) else None


def record_execution(name: str, generation: int, execution_arn: str) -> None:
    """Remember which execution works on the deployment.

    Raises:
        StaleWriter: a newer generation owns it.
    """
    update_owned(name, generation, {"execution_arn": execution_arn})


def record_facts(name: str, generation: int, **facts: str | int | None) -> None:
    """Write ``endpoint`` and ``queue_url`` as soon as they are known; None removes a field.

    Raises:
        StaleWriter: a newer generation owns it.
    """
    update_owned(name, generation, dict(facts))


def record_waiting(name: str, generation: int, actor: str, reason: str) -> None:
    """Say what a deployment that is being worked on waits for, with an event; its status stays.

    Raises:
        StaleWriter: a newer generation owns it.
    """
    update_owned(name, generation, {"reason": reason}, table.event(name, actor, "WAITING", reason))


def transition(
    name: str,
    generation: int,
    later: DeploymentStatus,
    actor: str,
    reason: str | None = None,
    **facts: str | int | None,
) -> DeploymentStatus:
    """Move along the transition table; being there already is success, so that a retried step is harmless.

    ``reason=None`` keeps the one that is written. ``facts`` are further fields (``endpoint``, ``queue_url``).

    Raises:
        StaleWriter: a newer generation owns it.
        Conflict: the table does not allow this change.
    """
    for _ in range(ATTEMPTS):
        current = owned(name, generation)
        if current.status is later:
            return later
        if not current.status.can_become(later):
            raise Conflict(f"{name} is {current.status} and cannot become {later}")
        fields: dict[str, Any] = dict(facts) if reason is None else {"reason": reason, **facts}
        if later is _S.READY:
            fields["good_revision"] = current.revision
        said = current.reason if reason is None else reason
        if move(current, later, actor, fields, *revisions.ending(current, later, said)):
            return later
    raise Retryable(f"several writers change {name} at once: try again")


def return_to_good(name: str, generation: int, actor: str, reason: str | None = None) -> DeploymentStatus:
    """READY again with the last good revision, after an update that failed.

    Raises:
        StaleWriter: a newer generation owns it.
        Conflict: it is not being updated.
    """
    for _ in range(ATTEMPTS):
        current = owned(name, generation)
        if current.status is _S.READY:
            return _S.READY
        good = revisions.get(name, current.good_revision)
        why = current.reason if reason is None else reason
        said = f"revision {current.revision} failed, revision {good.revision} serves: {why}"
        fields = revisions.fields_of(good) | {"reason": said}
        writes = revisions.ending(current, _S.READY, why, returned=True)
        if move(current, _S.READY, actor, fields, *writes):
            return _S.READY
    raise Retryable(f"several writers change {name} at once: try again")


def _take(
    current: Deployment | None, spec: DeploymentSpec, actor: str, adjustments: Sequence[Adjustment]
) -> Claim | None:
    """The claim, or None when another writer was faster."""
    number = max(current.last_revision, current.revision) + 1 if current else 1
    taken = Claim(revision=number, generation=current.generation + 1 if current else 1)
    time = table.now()
    revision = Revision(
        revision=number,
        spec=spec,
        adjustments=list(adjustments),
        uses=revisions.uses_of(spec, number),
        created_at=time,
    )
    facts = {"status": str(_S.ACCEPTED), "reason": "", "created_at": time, "updated_at": time}
    numbers = {"generation": taken.generation, "first_revision": number, "last_revision": number}
    item = table.state_key(spec.name) | {"type": _TYPE, "name": spec.name, "good_revision": 0}
    put = _unless_newer(item | facts | numbers | revisions.fields_of(revision), current)
    began = Change(generation=taken.generation, revision=number, action="deploy", actor=actor, time=time)
    accepted = table.event(spec.name, actor, _S.ACCEPTED, f"revision {number}")
    try:
        table.write(put, accepted, revisions.put(revision), revisions.put_change(spec.name, began))
    except table.ConditionFailed:
        return None
    return taken


def _unless_newer(item: table.Item, current: Deployment | None) -> table.Write:
    """The Put of a STATE item, on the condition that nobody wrote it since ``current`` was read."""
    if current is None:
        return {"Put": {"Item": item, "ConditionExpression": "attribute_not_exists(pk)"}}
    return {
        "Put": {
            "Item": item,
            "ConditionExpression": "generation = :generation",
            "ExpressionAttributeValues": {":generation": current.generation},
        }
    }
