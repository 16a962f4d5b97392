"""What a person may ask of a deployment that was READY: an update, a rollback, a stop, a start.

Each is one conditional write: it hands the deployment to a new generation, which an execution (or, for a
stop, the reconciler) then works for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from shoal import table
from shoal.contracts.deployment import Adjustment, DeploymentSpec
from shoal.contracts.status import DeploymentStatus
from shoal.deployments import revisions
from shoal.deployments.model import Change, Claim, Deployment, Revision
from shoal.deployments.state import ATTEMPTS, get, move
from shoal.errors import Busy, Conflict, Retryable

_S = DeploymentStatus
_STANDS = frozenset({_S.READY, _S.UPDATE_ROLLBACK_FAILED})
"""From these an update may begin: no execution works on it, and its fleet is not stopped."""

Action = Literal["deploy", "update", "rollback", "stop", "start"]


def update(
    current: Deployment, spec: DeploymentSpec, actor: str, adjustments: Sequence[Adjustment]
) -> Claim | None:
    """Make ``spec`` the wanted revision of a deployment; None when another writer was faster.

    Raises:
        Conflict: it cannot change in place, or not now.
    """
    _check_stands(current)
    revisions.check_in_place(current.spec, spec)
    number = max(current.last_revision, current.revision) + 1
    revision = Revision(
        revision=number,
        spec=spec,
        adjustments=list(adjustments),
        uses=revisions.uses_of(spec, number, current if current.status is _S.READY else None),
        created_at=table.now(),
    )
    fields = revisions.fields_of(revision) | {"last_revision": number}
    more = [revisions.put(revision)]
    reason = f"revision {number}: {', '.join(changed(current.spec, spec)) or 'tried again'}"
    return _begin(current, _S.UPDATING, "update", actor, reason, fields, more)


def rollback(name: str, actor: str, number: int | None = None, reason: str = "") -> Claim:
    """Make an earlier revision the wanted one again, with the very resources that it was READY with.

    Raises:
        NotFound: there is no such deployment or revision.
        Conflict: not now, or the revision never was READY.
    """
    for _ in range(ATTEMPTS):
        current = get(name)
        if number == current.revision and current.status is _S.READY:
            return _unchanged(current)
        _check_stands(current)
        wanted = revisions.to_return_to(current, number)
        said = f"back to revision {wanted.revision}" + (f": {reason}" if reason else "")
        fields = revisions.fields_of(wanted)
        claim = _begin(current, _S.UPDATING, "rollback", actor, said, fields)
        if claim:
            return claim
    raise Retryable(f"several requests change {name} at once: try again")


def stop(name: str, actor: str, reason: str = "") -> Claim:
    """Send the fleet to nothing; the reconciler does it. Jobs stay in the queue.

    Raises:
        NotFound, Conflict: there is no such deployment, or not now.
    """
    return _ask(name, _S.STOPPING, "stop", actor, reason)


def start(name: str, actor: str, reason: str = "") -> Claim:
    """Bring the fleet of a stopped deployment back.

    Raises:
        NotFound, Conflict: there is no such deployment, or it is not stopped.
    """
    return _ask(name, _S.STARTING, "start", actor, reason)


def changed(before: DeploymentSpec, after: DeploymentSpec) -> list[str]:
    """The fields that differ."""
    fields = type(before).model_fields
    return [field for field in fields if getattr(before, field) != getattr(after, field)]


_ALREADY = {
    _S.STOPPING: frozenset({_S.STOPPING, _S.STOPPED}),
    _S.STARTING: frozenset({_S.STARTING, _S.READY}),
}


def _ask(name: str, later: DeploymentStatus, action: Action, actor: str, reason: str) -> Claim:
    for _ in range(ATTEMPTS):
        current = get(name)
        if current.status in _ALREADY[later]:
            return _unchanged(current)
        if not current.status.can_become(later):
            raise _refused(current)
        claim = _begin(current, later, action, actor, reason, {})
        if claim:
            return claim
    raise Retryable(f"several requests change {name} at once: try again")


def _begin(
    current: Deployment,
    later: DeploymentStatus,
    action: Action,
    actor: str,
    reason: str,
    fields: dict[str, Any],
    more: Sequence[table.Write] = (),
) -> Claim | None:
    """The claim of a new generation, or None when another writer was faster."""
    revision = int(fields.get("revision", current.revision))
    claim = Claim(revision=revision, generation=current.generation + 1)
    change = Change(
        generation=claim.generation,
        revision=revision,
        action=action,
        actor=actor,
        reason=reason,
        time=table.now(),
    )
    own: dict[str, Any] = {"generation": claim.generation, "reason": reason}
    if later is not _S.STOPPING:
        own["execution_arn"] = None  # until one is started: a repeated request starts it
    writes = [revisions.put_change(current.name, change), *more]
    return claim if move(current, later, actor, own | fields, *writes) else None


def _check_stands(current: Deployment) -> None:
    if current.status not in _STANDS:
        raise _refused(current)


def _refused(current: Deployment) -> Conflict:
    """Why not now, and what to do: the table of docs/deployments.md."""
    where, own = f"{current.name} is {current.status}", f"/deploy/{current.name}"
    if current.status.is_halted():
        return Conflict(f"{where}: start it first (POST {own}/start)")
    if current.status is _S.DELETING:
        return Busy(f"{where}: wait until it is DELETED")
    if not current.status.is_finished():
        return Busy(f"{where} with revision {current.revision}: wait until that has ended, or DELETE {own}")
    if current.status is _S.FAILED:
        return Conflict(f"{where}, nothing is left of it: deploy it again (POST /deploy)")
    if current.status is _S.UPDATE_ROLLBACK_FAILED:
        return Conflict(f"{where}: roll it back first (POST {own}/rollback)")
    return Conflict(f"{where}: delete it first (DELETE {own})")


def _unchanged(current: Deployment) -> Claim:
    return Claim(revision=current.revision, generation=current.generation, created=False)
