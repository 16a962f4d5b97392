"""AWS takes a Spot instance back in two minutes: its worker is stopped at once, though it is busy.

The ECS agent drains such an instance, but a draining instance waits for tasks that are protected from
scale-in, and a busy worker is. StopTask asks nobody: the worker gets SIGTERM, stores where it is and gives
its video back (EC2 guide, "Spot Instance interruption notices"; ECS API StopTask).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from shoal.aws import client, domain_errors
from shoal.deployments import Deployment
from shoal.fleet import instances
from shoal.telemetry import logger

_NOTICE = "EC2 Spot Instance Interruption Warning"
_REASON = "AWS takes its Spot instance back: another worker goes on with its video"


def instance_of(event: object) -> str:
    """The instance that EventBridge says is taken back; empty for any other event."""
    if not isinstance(event, dict) or event.get("detail-type") != _NOTICE:
        return ""
    detail = event.get("detail")
    return str(detail.get("instance-id", "")) if isinstance(detail, dict) else ""


def give_back(instance: str, deployments: Iterable[Deployment]) -> int:
    """Stop the tasks on an instance of one of these deployments; answers how many.

    Raises:
        Denied, Retryable: as AWS answered; EventBridge's call is repeated.
    """
    owner = next((one for one in deployments if _has(one, instance)), None)
    if owner is None:
        return 0
    tasks = instances.tasks_on(owner.name, instance)
    for cluster, task in tasks:
        _stop(cluster, task)
    about = {"deployment": owner.name, "instance": instance, "stopped": len(tasks)}
    logger().warning("a Spot instance is taken back", extra=about)
    return len(tasks)


def _has(deployment: Deployment, instance: str) -> bool:
    if not deployment.spec.spot:
        return False
    group: dict[str, Any] = instances.group_of(deployment.name) or {}
    return any(one["InstanceId"] == instance for one in group.get("Instances", []))


def _stop(cluster: str, task: str) -> None:
    with domain_errors(f"stop task {task}", absent=frozenset({"InvalidParameterException"})):
        client("ecs").stop_task(cluster=cluster, task=task, reason=_REASON)
