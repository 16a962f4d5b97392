"""An update that failed: the last good revision serves again, and what the failed one made goes.

Level-triggered like a teardown: each pass points the group and the service at the good revision, whatever
they point at; when that is steady, what no good revision uses is removed along the ledger.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from shoal.contracts.status import Absence, LedgerState
from shoal.deployments import ledger, revisions, status, steps, tuning
from shoal.deployments.model import Deployment
from shoal.errors import AwsError, Denied, Retryable, ServiceNotStable, ShoalError
from shoal.resources import ADJUSTED, BY_KIND, REVISIONED
from shoal.resources.kind import Answer, Entry, Scope, waiting
from shoal.telemetry import logger

_ACTOR = "rollback"


def run(deployment: Deployment) -> dict[str, Answer]:
    """One pass; what is not done yet, by kind. Nothing means that the good revision serves alone.

    Raises:
        ShoalError: the service could not be pointed back.
    """
    good = revisions.get(deployment.name, deployment.good_revision)
    before = deployment.model_copy(update={"revision": good.revision, "spec": good.spec, "uses": good.uses})
    found = ledger.entries(deployment.name)
    made = ledger.selected(found, good.uses)
    for kind in ADJUSTED:
        if kind in made and made[kind].state is LedgerState.CREATED:
            made[kind] = steps.adjust(_ACTOR, made[kind], before, made)
    unsteady = _unsteady(made, before)
    return unsteady or _untuned(made, before) | _remove_failed(before, _failed(before))


def _unsteady(made: Mapping[str, Entry], before: Deployment) -> dict[str, Answer]:
    try:
        found = status.steadiness(made, before.spec)
    except ServiceNotStable as error:
        return {"service": Answer(Absence.FAILED, error.detail)}
    return {} if found.ready else {"service": waiting(found.reason)}


def _untuned(made: Mapping[str, Entry], before: Deployment) -> dict[str, Answer]:
    """The alarms and the dashboard of the good revision; one that cannot be set delays nothing else."""
    try:
        tuning.tune_all(_ACTOR, steps.context_of(before, made), made)
    except Retryable as error:
        return {"alarms": waiting(error.detail)}
    except (AwsError, Denied) as error:
        return {"alarms": Answer(Absence.FAILED, f"{type(error).__name__}: {error.detail}")}
    return {}


def _failed(before: Deployment) -> list[Entry]:
    """What only revisions made that never were READY, the last first."""
    never = {one.revision for one in revisions.listed(before.name) if not one.ready_at}
    found = reversed(ledger.entries(before.name))
    return [one for one in found if one.revision in never and one.kind not in ADJUSTED]


def _remove_failed(before: Deployment, entries: list[Entry]) -> dict[str, Answer]:
    """Every one is asked, even after one failed; struck out when two passes found it absent."""
    answers: dict[str, Answer] = {}
    for entry in entries:
        answer = _ask(entry, steps.scope_of(before))
        gone = answer.absence is Absence.GONE
        if gone and entry.gone:
            ledger.remove(before.name, before.generation, entry, _ACTOR)
            logger().info("removed", kind=entry.kind, revision_of=entry.revision)
            continue
        ledger.mark_gone(before.name, before.generation, entry, gone)
        answers[f"{entry.kind} of revision {entry.revision}"] = (
            waiting("gone, to be confirmed") if gone else answer
        )
    return answers


def _ask(entry: Entry, scope: Scope) -> Answer:
    try:
        answer = _unmake(entry, scope)
    except Retryable as error:
        return waiting(error.detail)
    except ShoalError as error:
        logger().error("cannot remove", kind=entry.kind, error=error.detail)
        return Answer(Absence.FAILED, f"{type(error).__name__}: {error.detail}")
    under_way = entry.state is LedgerState.PENDING and entry.attempt_until > datetime.now(UTC).isoformat()
    return waiting("its creation may still be under way") if under_way else answer


def _unmake(entry: Entry, scope: Scope) -> Answer:
    """This revision's alone; a kind that the failed revision was the first to have goes as a whole."""
    if entry.kind in REVISIONED:
        return REVISIONED[entry.kind].retire(entry, scope)
    kind = BY_KIND[entry.kind]
    found = kind.observe(scope)
    if entry.state is LedgerState.CREATED:
        return kind.unmake(entry, scope)
    if found and scope.owns(found.tags):
        return kind.unmake(entry.model_copy(update={"arn": found.arn, "extra": found.extra}), scope)
    return Answer(Absence.GONE)
