"""What a pass of a teardown left, with its cost and what to do: kept on the deployment, pass after pass."""

from __future__ import annotations

import json
from collections.abc import Iterable

from shoal.contracts.leftover import Leftover
from shoal.contracts.status import Absence
from shoal.deployments import prices, store
from shoal.deployments.model import Deployment
from shoal.errors import Denied, ShoalError
from shoal.resources import instances, tagged
from shoal.resources.kind import Answer, Entry, Scope

_MOST = 100
_LONGEST_REASON = 500

BY_HAND = {
    "alarm": "cloudwatch delete-alarms --alarm-names {name}",
    "auto_scaling_group": "autoscaling delete-auto-scaling-group --force-delete "
    "--auto-scaling-group-name {name}",
    "capacity_provider": "ecs delete-capacity-provider --capacity-provider {name}",
    "cluster": "ecs delete-cluster --cluster {name}",
    "dashboard": "cloudwatch delete-dashboards --dashboard-names {name}",
    "host_rule": "elbv2 delete-rule --rule-arn {arn}",
    "instance": "ec2 terminate-instances --instance-ids {name}",
    "launch_template": "ec2 delete-launch-template --launch-template-name {name}",
    "listener": "elbv2 delete-listener --listener-arn {arn}",
    "log_group": "logs delete-log-group --log-group-name {name}",
    "service": "ecs delete-service --cluster {name} --service {name} --force",
    "target_group": "elbv2 delete-target-group --target-group-arn {arn}",
    "task_definition": "ecs deregister-task-definition --task-definition {arn}",
    "volume": "ec2 delete-volume --volume-id {name}",
}
"""How a person removes one without us, with the AWS CLI."""


def record(deployment: Deployment, scope: Scope, answers: Iterable[Answer]) -> list[Leftover]:
    """Keep what this pass left; nothing is written where nothing changed.

    Raises:
        StaleWriter: a newer generation owns the deployment.
    """
    left = [_of_answer(answer, scope) for answer in answers if answer.absence is not Absence.GONE]
    swept = any(one.kind == "instance" for one in left)
    if left and not swept and scope.spec.compute == "ec2-gpu":
        left += _running(scope)
    left = left[:_MOST]
    if left != deployment.leftovers:
        store.record_facts(deployment.name, deployment.generation, leftovers=as_text(left))
    return left


def of_ledger(entries: Iterable[Entry], scope: Scope) -> list[Leftover]:
    """The whole ledger, for a teardown of which not one pass ended."""
    reason = "no pass of the teardown ended: nobody knows whether it is still there"
    answers = [Answer(Absence.FAILED, reason, kind=one.kind, name=one.name, arn=one.arn) for one in entries]
    return [_of_answer(answer, scope) for answer in answers]


def as_text(left: list[Leftover]) -> str | None:
    """As the table keeps them; None, which removes the field, for none."""
    return json.dumps([one.model_dump() for one in left]) if left else None


def advice(deployment: str, kind: str, name: str, arn: str = "", code: str = "") -> str:
    """What a person does about one."""
    again = f"shoal delete {deployment}"
    first = (
        "grant what the reason names, then "
        if code == Denied.code
        else "remove the cause, then "
        if code
        else ""
    )
    command = BY_HAND.get(tagged.sort_of(kind), "").format(name=name, arn=arn or name)
    return f"{first}{again}" + (f"; by hand: aws {command}" if command else "")


def _of_answer(answer: Answer, scope: Scope) -> Leftover:
    return Leftover(
        kind=answer.kind,
        name=answer.name,
        arn=answer.arn,
        reason=answer.reason[:_LONGEST_REASON],
        usd_per_hour=_cost(answer, scope),
        advice=advice(scope.deployment, answer.kind, answer.name, answer.arn, answer.code),
    )


def _cost(answer: Answer, scope: Scope) -> float | None:
    """Instances are listed one by one; of a Fargate service every task of the fleet may still run."""
    if answer.kind in {"instance", "volume"}:
        return answer.usd_per_hour
    if answer.kind == "service" and scope.spec.compute == "fargate-cpu":
        return scope.spec.fleet_size * prices.fargate_task(scope.spec.cpu, scope.spec.memory_mib)
    return prices.resource(answer.kind)


def _running(scope: Scope) -> list[Leftover]:
    """The instances: what is dear in a deployment that cannot be removed."""
    try:
        alive = instances.alive(scope)
    except ShoalError as error:
        told = f"could not be looked for: {type(error).__name__}: {error.detail}"[:_LONGEST_REASON]
        what = advice(scope.deployment, "instances", "", code=error.code)
        return [Leftover(kind="instances", name=scope.name(), reason=told, usd_per_hour=None, advice=what)]
    return [
        Leftover(
            kind="instance",
            name=one.instance_id,
            reason=f"{one.instance_type}, {one.state}: it goes with its Auto Scaling group",
            usd_per_hour=prices.instance(one.instance_type),
            advice=advice(scope.deployment, "instance", one.instance_id),
        )
        for one in alive
    ]
