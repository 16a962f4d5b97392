"""A fleet that goes to nothing and stays there: what the reconciler does for a stopped deployment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from shoal.contracts.status import DeploymentStatus
from shoal.deployments import ledger, steps, store, tuning
from shoal.deployments.model import Deployment
from shoal.resources import ADJUSTED
from shoal.resources.kind import Entry


def halt(deployment: Deployment, actor: str) -> list[str]:
    """One pass: tell the service, and once no task is left the instances, to go; answers what is still there.

    A wake-up that was under way when the deployment was stopped is taken back by the next pass. The alarms
    come after the fleet: one that cannot be set keeps no instance running; only STOPPED is not said before.
    """
    left = _emptied(deployment)
    made = ledger.selected(ledger.entries(deployment.name), deployment.uses)
    _settle(deployment, made, actor)
    tuning.tune_all(actor, replace(steps.context_of(deployment, made), halted=True), made)
    return left


def _emptied(deployment: Deployment) -> list[str]:
    scope = steps.scope_of(deployment)
    tasks = ADJUSTED["service"].halt(scope)
    if tasks:
        return [f"{tasks} workers finish their videos"]
    groups = ADJUSTED["auto_scaling_group"]
    left = groups.halt(scope) if groups.applies(deployment.spec) else 0
    return [f"{left} instances are terminating"] if left else []


def _settle(deployment: Deployment, made: Mapping[str, Entry], actor: str) -> None:
    """A start that broke off left the line of a call under way; what this pass said is newer."""
    for kind in ADJUSTED:
        entry = made.get(kind)
        if entry and entry.attempt_until:
            ledger.adjusted(deployment.name, deployment.generation, entry, entry.revision, actor)


def advance(deployment: Deployment) -> None:
    """One pass of the reconciler over a deployment that is STOPPING or STOPPED.

    Raises:
        StaleWriter: it was started or deleted meanwhile.
    """
    current = store.owned(deployment.name, deployment.generation)
    left = halt(current, "fleet_reconciler")
    if not left:
        store.transition(current.name, current.generation, DeploymentStatus.STOPPED, "fleet_reconciler")
