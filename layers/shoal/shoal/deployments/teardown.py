"""Rollback, deletion and the orphan sweep: one walk backwards over the ledger, by id only.

Level-triggered: a pass looks at what is there now and asks each kind to unmake itself. Nothing is struck out
before two passes found it absent (one stale read cannot leak), nothing is empty before a sweep by name and
tag agrees. Every entry is asked even after another one failed.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from pydantic import BaseModel

from shoal.contracts.status import Absence, LedgerState
from shoal.deployments import ledger, leftovers, store, sweep
from shoal.deployments.model import Deployment
from shoal.deployments.steps import StepInput, scope_of
from shoal.errors import Conflict, Retryable, ShoalError, StaleWriter
from shoal.resources import BY_KIND
from shoal.resources.kind import GONE, Answer, Entry, Scope, waiting
from shoal.telemetry import logger


class Pass(BaseModel):
    """What one pass left: ``empty`` means that nothing is left at all."""

    empty: bool
    waiting: list[str] = []
    failed: list[str] = []


def run_pass(payload: StepInput, actor: str = "deletion") -> Pass:
    """One pass over the whole ledger; call it again, with a pause, until ``empty``. ``actor`` is for events.

    Raises:
        StaleWriter: a newer generation owns the deployment.
        Conflict: it was READY, and nobody asked for its deletion.
    """
    deployment = store.get(payload.deployment)
    if deployment.generation != payload.generation:
        raise StaleWriter(f"generation {payload.generation} of {deployment.name} is no longer the newest")
    if deployment.status.is_kept():
        raise Conflict(
            f"{deployment.name} is {deployment.status}: delete it instead (DELETE /deploy/{deployment.name})"
        )
    scope = scope_of(deployment)
    answers = _walk(deployment, scope, actor)
    if not ledger.entries(deployment.name):
        answers |= sweep.run(scope)
    leftovers.record(deployment, scope, answers.values())
    return summary(answers)


def _walk(deployment: Deployment, scope: Scope, actor: str) -> dict[str, Answer]:
    """Every entry is asked, even after one failed; one that others still need waits for them."""
    answers: dict[str, Answer] = {}
    there: set[str] = set()
    for entry in reversed(ledger.entries(deployment.name)):
        answer = _ask(entry, scope, there)
        if answer.absence is not Absence.GONE:
            there.add(entry.kind)
        answers[_label(entry, answers)] = _settle(deployment, entry, answer, actor)
    return answers


def _label(entry: Entry, answers: dict[str, Answer]) -> str:
    """Its kind; of a kind that every revision has its own of, the revision too."""
    return f"{entry.kind} of revision {entry.revision}" if entry.kind in answers else entry.kind


def _ask(entry: Entry, scope: Scope, there: set[str]) -> Answer:
    blockers = [kind for kind in BY_KIND[entry.kind].blocked_by if kind in there]
    if blockers:
        return waiting(f"waits for {', '.join(blockers)}")
    try:
        return _unmake(entry, scope)
    except Retryable as error:
        return waiting(error.detail)
    except ShoalError as error:
        logger().error("cannot remove", kind=entry.kind, error=error.detail)
        return Answer(Absence.FAILED, f"{type(error).__name__}: {error.detail}", code=error.code)


def _unmake(entry: Entry, scope: Scope) -> Answer:
    """A PENDING entry is looked up by name; what somebody else made under that name is left alone."""
    kind = BY_KIND[entry.kind]
    if entry.state is LedgerState.CREATED:
        return kind.unmake(entry, scope)
    found = kind.observe(scope)
    if found and scope.owns(found.tags):
        return kind.unmake(entry.model_copy(update={"arn": found.arn, "extra": found.extra}), scope)
    if entry.attempt_until > datetime.now(UTC).isoformat():
        return waiting("its creation may still be under way")
    return GONE


def _settle(deployment: Deployment, entry: Entry, answer: Answer, actor: str) -> Answer:
    """Strike out what was absent twice; remember what was absent once."""
    answer = replace(answer, kind=entry.kind, name=entry.name, arn=entry.arn)
    gone = answer.absence is Absence.GONE
    if gone and entry.gone:
        ledger.remove(deployment.name, deployment.generation, entry, actor)
        logger().info("removed", kind=entry.kind, name_of=entry.name)
        return answer
    ledger.mark_gone(deployment.name, deployment.generation, entry, gone)
    return replace(answer, absence=Absence.WAITING, reason="gone, to be confirmed") if gone else answer


def summary(answers: dict[str, Answer]) -> Pass:
    """What is left, by whether it goes by itself or needs somebody."""
    lines = {
        absence: [f"{kind}: {answer.reason}" for kind, answer in answers.items() if answer.absence is absence]
        for absence in Absence
    }
    left = lines[Absence.WAITING] or lines[Absence.FAILED]
    return Pass(empty=not left, waiting=lines[Absence.WAITING], failed=lines[Absence.FAILED])
