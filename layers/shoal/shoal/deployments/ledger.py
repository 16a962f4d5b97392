"""The ledger: what a deployment made, in order, written before each call to AWS and again after it."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from shoal import table
from shoal.contracts.status import LedgerState
from shoal.resources import REVISIONED
from shoal.resources.kind import FINGERPRINT, Context, Entry, Made

_NOBODY = "shoal"
"""The actor of an event where no step is named."""

_LONGEST_REASON = 500

LONGEST_ATTEMPT = timedelta(seconds=60)
"""No step function runs longer (its Timeout in template.yaml), so no call of a dead one arrives later."""


def entries(deployment: str) -> list[Entry]:
    """The whole ledger in the order of making; strongly consistent."""
    return [Entry.model_validate(item) for item in table.query(table.deployment_key(deployment), "RESOURCE#")]


def selected(found: list[Entry], uses: Mapping[str, int]) -> dict[str, Entry]:
    """The entries that a revision uses, by kind; of a revisioned kind the very one that ``uses`` names."""
    return {one.kind: one for one in found if uses.get(one.kind, one.revision) == one.revision}


def intend(deployment: str, generation: int, entry: Entry) -> Entry:
    """Write PENDING before the call, so that whatever the call leaves behind can be found by its name."""
    until = (datetime.now(UTC) + LONGEST_ATTEMPT).isoformat()
    pending = entry.model_copy(update={"state": LedgerState.PENDING, "attempt_until": until, "gone": False})
    return _put(deployment, generation, pending)


def attempt_ended(
    deployment: str, generation: int, entry: Entry, actor: str = _NOBODY, reason: str = ""
) -> Entry:
    """The call answered with an error: nothing is under way any more, though something may have been made."""
    refused = _event(deployment, entry, actor, "REFUSED", reason)
    return _put(deployment, generation, entry.model_copy(update={"attempt_until": ""}), refused)


def made(deployment: str, generation: int, entry: Entry, result: Made, actor: str = _NOBODY) -> Entry:
    """Write CREATED with the ARN after the call, and the event of it."""
    update = {
        "state": LedgerState.CREATED,
        "arn": result.arn,
        "extra": result.extra,
        "attempt_until": "",
    }
    created = entry.model_copy(update=update)
    return _put(deployment, generation, created, _event(deployment, created, actor, "MADE", result.arn))


def adjusting(deployment: str, generation: int, entry: Entry) -> Entry:
    """Still CREATED, but a call that changes it is under way: written first, so that only the owner calls."""
    until = (datetime.now(UTC) + LONGEST_ATTEMPT).isoformat()
    return _put(deployment, generation, entry.model_copy(update={"attempt_until": until, "gone": False}))


def adjusted(deployment: str, generation: int, entry: Entry, revision: int, actor: str = _NOBODY) -> Entry:
    """It serves this revision now; an event where it served another one."""
    changed = entry.model_copy(update={"attempt_until": "", "revision": revision})
    pointed = _event(deployment, entry, actor, "ADJUSTED", f"to revision {revision}")
    return _put(deployment, generation, changed, *([pointed] if entry.revision != revision else []))


def tuned(context: Context, entry: Entry, fingerprint: str, actor: str = _NOBODY) -> Entry:
    """Its settings are those of ``context`` now."""
    extra = entry.extra | {FINGERPRINT: fingerprint}
    changed = entry.model_copy(update={"attempt_until": "", "extra": extra})
    reason = f"to revision {context.revision}" + (", stopped" if context.halted else "")
    event = _event(context.deployment, entry, actor, "ADJUSTED", reason)
    return _put(context.deployment, context.generation, changed, event)


def mark_gone(deployment: str, generation: int, entry: Entry, gone: bool) -> Entry:
    """Note whether this pass of a teardown found it absent; a second one must confirm it.

    A line that another pass struck out meanwhile stays away.
    """
    if entry.gone is gone:
        return entry
    noted = table.update(_key(deployment, entry), {"gone": gone}, "attribute_exists(pk)")
    with contextlib.suppress(table.ConditionFailed):
        table.write_fenced(deployment, generation, noted)
    return entry.model_copy(update={"gone": gone})


def remove(deployment: str, generation: int, entry: Entry, actor: str = _NOBODY) -> None:
    """Strike the line out: two passes found nothing."""
    struck = {"Delete": {"Key": _key(deployment, entry)}}
    removed = _event(deployment, entry, actor, "REMOVED", "two passes found nothing")
    table.write_fenced(deployment, generation, struck, removed)


def _put(deployment: str, generation: int, entry: Entry, *events: table.Write) -> Entry:
    item = _key(deployment, entry) | entry.model_dump(mode="json")
    table.write_fenced(deployment, generation, {"Put": {"Item": item}}, *events)
    return entry


def _event(deployment: str, entry: Entry, actor: str, status: str, reason: str) -> table.Write:
    return table.event(deployment, actor, status, reason[:_LONGEST_REASON], f"{entry.kind} {entry.name}")


def _key(deployment: str, entry: Entry) -> table.Item:
    """One line for each kind; for each revision of it where every revision has its own."""
    line = f"RESOURCE#{entry.order:03d}#{entry.kind}"
    own = f"#{entry.revision:06d}" if entry.kind in REVISIONED else ""
    return {"pk": table.deployment_key(deployment), "sk": line + own}
