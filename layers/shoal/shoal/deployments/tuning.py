"""Alarms and the dashboard follow the specification that serves, and a stop, without being made anew."""

from __future__ import annotations

from collections.abc import Mapping

from shoal.contracts.status import LedgerState
from shoal.deployments import ledger
from shoal.resources import TUNED
from shoal.resources.kind import FINGERPRINT, Context, Entry
from shoal.telemetry import logger


def is_due(entry: Entry, context: Context) -> bool:
    """Whether it is set otherwise, or may be: an earlier attempt broke off."""
    return bool(entry.attempt_until) or entry.extra.get(FINGERPRINT) != TUNED[entry.kind].fingerprint(context)


def tune(actor: str, entry: Entry, context: Context) -> Entry:
    """Set one, whatever it is set to now; written before the call and after it.

    Raises:
        StaleWriter: a newer generation owns the deployment.
        ShoalError: what AWS answered; the next pass sets it again.
    """
    kind = TUNED[entry.kind]
    entry = ledger.adjusting(context.deployment, context.generation, entry)
    kind.tune(context)
    logger().info("set", kind=entry.kind, revision_of=context.revision, halted=context.halted)
    return ledger.tuned(context, entry, kind.fingerprint(context), actor)


def tune_all(actor: str, context: Context, made: Mapping[str, Entry]) -> None:
    """Set every one that is due.

    Raises:
        StaleWriter, ShoalError: as :func:`tune`.
    """
    for kind in TUNED:
        entry = made.get(kind)
        if entry and entry.state is LedgerState.CREATED and is_due(entry, context):
            tune(actor, entry, context)
