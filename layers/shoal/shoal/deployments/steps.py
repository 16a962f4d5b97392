"""The making steps of deploy.asl.json: each runs a few kinds along the ledger."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from shoal.contracts.names import DeploymentName
from shoal.contracts.status import DeploymentStatus, LedgerState
from shoal.deployments import ledger, store, tuning
from shoal.deployments.model import Deployment
from shoal.errors import Conflict, ShoalError
from shoal.resources import ADJUSTED, ALARMS, BY_KIND, REVISIONED, TUNED
from shoal.resources.kind import Context, Entry, ResourceKind, Scope
from shoal.settings import settings
from shoal.telemetry import logger

MakingStep = Literal["load_balancer", "task_cluster", "auto_scaling_group", "ecs_service"]

STEPS: dict[MakingStep, tuple[str, ...]] = {
    "load_balancer": ("listener_port", "host_claim", "target_group", "listener", "host_rule"),
    "task_cluster": ("log_group", "dead_letter_queue", "queue", "cluster", "task_definition"),
    "auto_scaling_group": (
        "launch_template",
        "launch_template_version",
        "auto_scaling_group",
        "capacity_provider",
        "cluster_capacity",
    ),
    "ecs_service": ("service", *(alarm.kind for alarm in ALARMS), "dashboard"),
}
"""Which kinds each step makes, in order."""

_S = DeploymentStatus
_MAY_MAKE = frozenset({_S.ACCEPTED, _S.DEPLOYING, _S.UPDATING, _S.STARTING})


class StepInput(BaseModel):
    """What every step receives; the rest is read from the tables."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    deployment: DeploymentName
    revision: int
    generation: int


class StepOutput(BaseModel):
    """What a making step answers: the ARN (or id) of each kind it made."""

    step: MakingStep
    resources: dict[str, str]


def begin(event: dict[str, Any], step: str) -> StepInput:
    """The checked payload, with the log keys of this step set."""
    payload = StepInput.model_validate(event)
    logger().append_keys(deployment=payload.deployment, revision=payload.revision, step=step)
    return payload


def make(step: MakingStep, payload: StepInput) -> StepOutput:
    """Make every kind of a step that this specification asks for; what is already made is left alone.

    Raises:
        StaleWriter: a newer generation owns the deployment.
        Conflict: it is no longer being deployed, or a name belongs to somebody else.
        ShoalError: what AWS answered; the ledger holds everything that may have been made.
    """
    deployment = store.at(payload.deployment, payload.revision, payload.generation)
    if deployment.status not in _MAY_MAKE:
        raise Conflict(f"{deployment.name} is {deployment.status}: nothing may be made for it now")
    found = ledger.entries(deployment.name)
    # of a revisioned kind the wanted one, or the newest where that is still to be made
    made = {entry.kind: entry for entry in found} | ledger.selected(found, deployment.uses)
    kinds = [BY_KIND[kind] for kind in STEPS[step] if BY_KIND[kind].applies(deployment.spec)]
    for kind in kinds:
        made[kind.kind] = _make_one(step, kind, deployment, made)
    return StepOutput(step=step, resources={kind.kind: made[kind.kind].arn for kind in kinds})


def scope_of(deployment: Deployment) -> Scope:
    return Scope(settings().shoal_environment, deployment.name, deployment.spec)


def context_of(deployment: Deployment, made: Mapping[str, Entry]) -> Context:
    """What a kind may know while it is made or adjusted."""
    environment = settings().shoal_environment
    name, spec, halted = deployment.name, deployment.spec, deployment.status.is_halted()
    return Context(environment, name, spec, deployment.revision, deployment.generation, made, halted)


def adjust(actor: str, entry: Entry, deployment: Deployment, made: Mapping[str, Entry]) -> Entry:
    """Point a kind at the deployment's revision, whatever it points at now."""
    entry = ledger.adjusting(deployment.name, deployment.generation, entry)
    ADJUSTED[entry.kind].adjust(context_of(deployment, made))
    logger().info("adjusted", kind=entry.kind, revision_of=deployment.revision)
    return ledger.adjusted(deployment.name, deployment.generation, entry, deployment.revision, actor)


def _make_one(step: str, kind: ResourceKind, deployment: Deployment, made: dict[str, Entry]) -> Entry:
    known, context = made.get(kind.kind), context_of(deployment, made)
    if known and known.state is LedgerState.CREATED:
        if not _is_due(known, deployment, context):
            return known
        if kind.kind in ADJUSTED:
            return adjust(step, known, deployment, made)
        if kind.kind in TUNED:
            return tuning.tune(step, known, context)
    name, generation = deployment.name, deployment.generation
    entry = Entry(kind=kind.kind, order=kind.order, name=kind.name(context), revision=deployment.revision)
    entry = ledger.intend(name, generation, entry)
    try:
        result = kind.make(context)
    except ShoalError as error:
        ledger.attempt_ended(name, generation, entry, step, f"{type(error).__name__}: {error.detail}")
        raise
    logger().info("made", kind=kind.kind, arn=result.arn)
    return ledger.made(name, generation, entry, result, step)


def _is_due(known: Entry, deployment: Deployment, context: Context) -> bool:
    """What is made is left alone, but for what each revision has of its own, is pointed at or set anew."""
    if known.kind in REVISIONED:
        return known.revision != deployment.uses.get(known.kind, deployment.revision)
    if known.kind in ADJUSTED:
        return known.revision != deployment.revision or deployment.status is DeploymentStatus.STARTING
    return known.kind in TUNED and tuning.is_due(known, context)
