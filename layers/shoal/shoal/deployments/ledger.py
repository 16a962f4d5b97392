"""The ledger: what a deployment made, in order, written before each call to AWS and again after it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from shoal import table
from shoal.contracts.status import LedgerState
from shoal.resources.kind import Entry, Made

LONGEST_ATTEMPT = timedelta(seconds=60)
"""No step function runs longer (its Timeout in template.yaml), so no call of a dead one arrives later."""


def entries(deployment: str) -> list[Entry]:
    """The whole ledger in the order of making; strongly consistent."""
    return [Entry.model_validate(item) for item in table.query(table.deployment_key(deployment), "RESOURCE#")]


def intend(deployment: str, generation: int, entry: Entry) -> Entry:
    """Write PENDING before the call, so that whatever the call leaves behind can be found by its name."""
    until = (datetime.now(UTC) + LONGEST_ATTEMPT).isoformat()
    pending = entry.model_copy(update={"state": LedgerState.PENDING, "attempt_until": until, "gone": False})
    return _put(deployment, generation, pending)


def attempt_ended(deployment: str, generation: int, entry: Entry) -> Entry:
    """The call answered with an error: nothing is under way any more, though something may have been made."""
    return _put(deployment, generation, entry.model_copy(update={"attempt_until": ""}))


def made(deployment: str, generation: int, entry: Entry, result: Made) -> Entry:
    """Write CREATED with the ARN after the call."""
    update = {
        "state": LedgerState.CREATED,
        "arn": result.arn,
        "extra": result.extra,
        "attempt_until": "",
    }
    return _put(deployment, generation, entry.model_copy(update=update))


def mark_gone(deployment: str, generation: int, entry: Entry, gone: bool) -> Entry:
    """Note whether this pass of a teardown found it absent; a second one must confirm it."""
    return (
        entry if entry.gone is gone else _put(deployment, generation, entry.model_copy(update={"gone": gone}))
    )


def remove(deployment: str, generation: int, entry: Entry) -> None:
    """Strike the line out: two passes found nothing."""
    table.write_fenced(deployment, generation, {"Delete": {"Key": _key(deployment, entry)}})


def _put(deployment: str, generation: int, entry: Entry) -> Entry:
    item = _key(deployment, entry) | entry.model_dump(mode="json")
    table.write_fenced(deployment, generation, {"Put": {"Item": item}})
    return entry


def _key(deployment: str, entry: Entry) -> table.Item:
    return {"pk": table.deployment_key(deployment), "sk": f"RESOURCE#{entry.order:03d}#{entry.kind}"}
