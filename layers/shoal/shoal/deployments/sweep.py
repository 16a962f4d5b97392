"""The last look: what carries our name or our tags although the ledger is empty (a call that arrived late).

By name, kind by kind; then instances and volumes by their tags; then everything else that says it is ours,
whatever service it belongs to. What is found is told to go, and a later pass must find nothing.
"""

from __future__ import annotations

from dataclasses import replace

from shoal.aws import client, domain_errors
from shoal.contracts.status import Absence
from shoal.deployments import prices
from shoal.errors import ShoalError
from shoal.resources import ALARMS, BY_KIND, KINDS, instances, tagged
from shoal.resources.kind import Answer, Entry, ResourceKind, Scope, waiting
from shoal.resources.tagged import Tagged
from shoal.resources.task_definition import remove_revision
from shoal.telemetry import logger

_BY_ARN = frozenset(
    {"alarm", "cluster", "host_rule", "launch_template", "listener", "log_group", "target_group"}
)
"""Kinds that are unmade by ARN or by any name: one under another name of ours is removed too."""

_NO_QUEUE = frozenset({"AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"})


def run(scope: Scope) -> dict[str, Answer]:
    """Unmake every leftover and answer what was found; empty means that nothing is left."""
    answers: dict[str, Answer] = {}
    for kind in reversed(KINDS):
        answer = _sweep_one(kind, scope)
        if answer:
            answers[kind.kind] = answer
    return answers | _sweep_instances(scope) | _sweep_tagged(scope, {one.name for one in answers.values()})


def _sweep_one(kind: ResourceKind, scope: Scope) -> Answer | None:
    name, arn = kind.name(scope), ""
    try:
        found = kind.observe(scope)
        if found is None or not scope.owns(found.tags):
            return None
        arn = found.arn
        logger().warning("left over", kind=kind.kind, arn=found.arn)
        entry = Entry(kind=kind.kind, order=kind.order, name=name, revision=0)
        kind.unmake(entry.model_copy(update={"arn": found.arn, "extra": found.extra}), scope)
    except ShoalError as error:
        return _failed(error, kind.kind, name, arn)
    return replace(waiting("left over, removed now and to be confirmed"), kind=kind.kind, name=name, arn=arn)


def _sweep_instances(scope: Scope) -> dict[str, Answer]:
    """Two kinds that no ledger holds, because the Auto Scaling group makes them."""
    answers: dict[str, Answer] = {}
    for instance in instances.terminate_stragglers(scope):
        going = waiting(f"{instance.instance_id} ({instance.instance_type}) is terminating")
        answers[f"instance {instance.instance_id}"] = replace(
            going,
            kind="instance",
            name=instance.instance_id,
            usd_per_hour=prices.instance(instance.instance_type),
        )
    for volume in instances.delete_stray_volumes(scope):
        going = waiting(f"{volume.volume_id} ({volume.gib} GiB) is {volume.state}")
        answers[f"volume {volume.volume_id}"] = replace(
            going, kind="volume", name=volume.volume_id, usd_per_hour=prices.volume(volume.gib)
        )
    return answers


def _sweep_tagged(scope: Scope, known: set[str]) -> dict[str, Answer]:
    """What only its tags show; ``known`` names what was found by name in this very pass."""
    answers: dict[str, Answer] = {}
    for one in tagged.find(scope.environment, scope.deployment):
        if one.kind in tagged.PASSING or one.name in known:
            continue
        answer = _unmake_tagged(one, scope)
        if answer.absence is not Absence.GONE:
            logger().warning("left over", kind=one.kind, arn=one.arn, answer=answer.reason)
            answers[f"{one.kind} {one.name}"] = replace(answer, kind=one.kind, name=one.name, arn=one.arn)
    return answers


def _unmake_tagged(one: Tagged, scope: Scope) -> Answer:
    """The index lags behind: what is gone already answers GONE here; what no kind knows is reported."""
    try:
        if one.kind == "task_definition":
            return remove_revision(one.arn)
        if one.kind == "queue":
            return _delete_queue(one.name)
        kind = BY_KIND.get(one.kind) or (ALARMS[0] if one.kind == "alarm" else None)
        if kind and (one.kind in _BY_ARN or one.name == kind.name(scope)):
            entry = Entry(kind=kind.kind, order=kind.order, name=one.name, revision=0, arn=one.arn)
            return kind.unmake(entry.model_copy(update={"arn": _identifier(one)}), scope)
    except ShoalError as error:
        return _failed(error, one.kind, one.name, one.arn)
    return waiting("only its tags say that it is ours: look at it, and remove it by hand")


def _identifier(one: Tagged) -> str:
    """What the ledger keeps as ``arn``: of a launch template its id."""
    return one.name if one.kind == "launch_template" else one.arn


def _delete_queue(name: str) -> Answer:
    with domain_errors(f"delete queue {name}", absent=_NO_QUEUE):
        client("sqs").delete_queue(QueueUrl=client("sqs").get_queue_url(QueueName=name)["QueueUrl"])
        return waiting("left over, removed now and to be confirmed")
    return Answer(Absence.GONE)


def _failed(error: ShoalError, kind: str, name: str, arn: str) -> Answer:
    told = f"left over: {type(error).__name__}: {error.detail}"
    return Answer(Absence.FAILED, told, code=error.code, kind=kind, name=name, arn=arn)
