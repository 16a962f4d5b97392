"""The last look: what carries our name and tags although the ledger is empty (a call that arrived late)."""

from __future__ import annotations

from shoal.contracts.status import Absence
from shoal.errors import ShoalError
from shoal.resources import KINDS, instances
from shoal.resources.kind import Answer, Entry, ResourceKind, Scope, waiting
from shoal.telemetry import logger


def run(scope: Scope) -> dict[str, Answer]:
    """Unmake every leftover and answer what was found; empty means that nothing is left."""
    answers: dict[str, Answer] = {}
    for kind in reversed(KINDS):
        answer = _sweep_one(kind, scope)
        if answer:
            answers[kind.kind] = answer
    alive = instances.terminate_stragglers(scope)
    if alive:
        answers["instances"] = waiting(f"{', '.join(alive)} are terminating")
    return answers


def _sweep_one(kind: ResourceKind, scope: Scope) -> Answer | None:
    try:
        found = kind.observe(scope)
        if found is None or not scope.owns(found.tags):
            return None
        logger().warning("left over", kind=kind.kind, arn=found.arn)
        entry = Entry(kind=kind.kind, order=kind.order, name=kind.name(scope), revision=0)
        kind.unmake(entry.model_copy(update={"arn": found.arn, "extra": found.extra}), scope)
    except ShoalError as error:
        return Answer(Absence.FAILED, f"left over: {type(error).__name__}: {error.detail}")
    return waiting("left over, removed now and to be confirmed")
