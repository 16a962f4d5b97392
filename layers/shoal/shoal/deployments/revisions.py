"""The revisions of a deployment, and the changes that made one or the other the wanted one.

``REVISION#<number>`` holds a specification, ``CHANGE#<generation>`` who wanted it, when, why, and what came
of it. Both stay when the deployment is deleted: numbers are never given twice.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from shoal import table
from shoal.contracts.deployment import Adjustment, DeploymentSpec
from shoal.contracts.status import DeploymentStatus
from shoal.deployments.model import Change, Deployment, Revision
from shoal.errors import Conflict, NotFound
from shoal.resources import REVISIONED

FIXED = ("serves", "compute", "task_family", "routing", "host_name", "dashboard")
"""What the resources are made of: another value needs other resources."""

_ENDED = {
    DeploymentStatus.READY: "READY",
    DeploymentStatus.STOPPED: "STOPPED",
    DeploymentStatus.FAILED: "FAILED",
    DeploymentStatus.ROLLBACK_FAILED: "ROLLBACK_FAILED",
    DeploymentStatus.UPDATE_ROLLBACK_FAILED: "UPDATE_ROLLBACK_FAILED",
}


def check_in_place(current: DeploymentSpec, wanted: DeploymentSpec) -> None:
    """What cannot change in place.

    Raises:
        Conflict: naming the fields, and what to do.
    """
    fixed = [field for field in FIXED if getattr(current, field) != getattr(wanted, field)]
    if fixed:
        detail = "it cannot change in place: delete the deployment first, or choose another name"
        raise Conflict(
            f"{', '.join(fixed)} of {wanted.name} cannot change in place: delete it first "
            f"(DELETE /deploy/{wanted.name}) or choose another name",
            [{"field": field, "detail": detail} for field in fixed],
        )


def uses_of(spec: DeploymentSpec, number: int, before: Deployment | None = None) -> dict[str, int]:
    """Which revision makes each revisioned kind: the one before where nothing that it depends on changed."""
    uses: dict[str, int] = {}
    for name, kind in REVISIONED.items():
        if not kind.applies(spec):
            continue
        same = before is not None and kind.basis(before.spec) == kind.basis(spec)
        uses[name] = before.uses.get(name, number) if before is not None and same else number
    return uses


def fields_of(revision: Revision) -> dict[str, Any]:
    """A revision's part of the ``STATE`` item."""
    return {
        "revision": revision.revision,
        "spec": revision.spec.model_dump_json(),
        "adjustments": _as_text(revision.adjustments),
        "uses": revision.uses,
    }


def put(revision: Revision) -> table.Write:
    """The write of a new revision; its number must be new."""
    item = _key(revision.spec.name, revision.revision) | fields_of(revision)
    item |= {"created_at": revision.created_at, "ready_at": revision.ready_at}
    return {"Put": {"Item": item, "ConditionExpression": "attribute_not_exists(pk)"}}


def put_change(name: str, change: Change) -> table.Write:
    """The write of a change that begins."""
    return {"Put": {"Item": _change_key(name, change.generation) | change.model_dump(mode="json")}}


def ending(
    current: Deployment, later: DeploymentStatus, reason: str, returned: bool = False
) -> list[table.Write]:
    """The writes that close the change of this generation; none where ``later`` closes none.

    ``returned``: the wanted revision was given up, and the last good one is READY again.
    """
    if later not in _ENDED:
        return []
    time = table.now()
    outcome = "FAILED" if returned else _ENDED[later]
    end = {"outcome": outcome, "outcome_reason": reason, "ended_at": time}
    writes = [table.update(_change_key(current.name, current.generation), end)]
    if later is DeploymentStatus.READY and not returned:
        writes.append(table.update(_key(current.name, current.revision), {"ready_at": time}))
    return writes


def handed_on(current: Deployment, generation: int) -> list[table.Write]:
    """The writes that give the change of a dead execution to the generation that goes on with it."""
    item = table.read(_change_key(current.name, current.generation))
    if item is None or "action" not in item:
        return []
    change = Change.model_validate(item)
    aborted = {"outcome": "ABORTED", "ended_at": table.now()}
    return [
        table.update(_change_key(current.name, current.generation), aborted),
        put_change(current.name, change.model_copy(update={"generation": generation})),
    ]


def get(name: str, number: int) -> Revision:
    """One revision.

    Raises:
        NotFound: there is no such revision.
    """
    item = table.read(_key(name, number))
    if item is None:
        raise NotFound(f"{name} has no revision {number}: GET /deploy/{name}/revisions lists them")
    return Revision.from_item(item)


def listed(name: str) -> list[Revision]:
    """All revisions, newest first."""
    found = table.query(table.deployment_key(name), "REVISION#", newest_first=True)
    return [Revision.from_item(item) for item in found]


def changes(name: str) -> list[Change]:
    """All changes, newest first."""
    found = table.query(table.deployment_key(name), "CHANGE#", newest_first=True)
    return [Change.model_validate(item) for item in found if "action" in item]


def to_return_to(current: Deployment, number: int | None) -> Revision:
    """The revision that a rollback means: the one named, or else the good one before the wanted one.

    Raises:
        NotFound: there is no such revision.
        Conflict: it never was READY, or its resources are gone.
    """
    if number is None:
        return _good_before(current)
    wanted = get(current.name, number)
    if not wanted.ready_at:
        raise Conflict(f"revision {number} of {current.name} never was READY: roll back to one that was")
    if number < current.first_revision:
        raise Conflict(
            f"revision {number} of {current.name} was deleted: POST /deploy with its specification instead"
        )
    return wanted


def _good_before(current: Deployment) -> Revision:
    good = [
        one
        for one in listed(current.name)
        if one.ready_at and current.first_revision <= one.revision < current.revision
    ]
    if not good:
        raise Conflict(f"{current.name} has no good revision before {current.revision}: name one to go to")
    return good[0]


def _as_text(adjustments: Sequence[Adjustment]) -> str:
    return json.dumps([adjustment.model_dump() for adjustment in adjustments])


def _key(name: str, number: int) -> table.Item:
    return {"pk": table.deployment_key(name), "sk": f"REVISION#{number:06d}"}


def _change_key(name: str, generation: int) -> table.Item:
    return {"pk": table.deployment_key(name), "sk": f"CHANGE#{generation:06d}"}
