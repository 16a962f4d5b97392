"""GPU instances: raised with the service in one step, and reaped once they are empty.

Managed scaling would need one to two minutes to see the tasks that wait, starts two instances where one
is needed, and keeps an empty one for fifteen minutes (ECS guide, "Amazon ECS managed scaling behavior"). It
stays on as the fallback: what is not raised or reaped here, it raises or reaps later.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from shoal.aws import client, code_of, domain_errors
from shoal.contracts.names import resource_name
from shoal.resources.auto_scaling_group import describe_group
from shoal.settings import settings
from shoal.telemetry import logger

_PAGE = 100
_IN_SERVICE = "InService"
_BUSY = frozenset({"ScalingActivityInProgress", "ResourceContention", "ScalingActivityInProgressFault"})


def group_of(name: str) -> dict[str, Any] | None:
    """The deployment's Auto Scaling group as it is; None where there is none."""
    return describe_group(_name(name))


def alive(group: dict[str, Any] | None) -> int:
    """How many instances the group has, from their start to their end."""
    return len(group["Instances"]) if group else 0


def raise_to(name: str, workers: int, group: dict[str, Any] | None) -> None:
    """The group's desired capacity, raised at once where it is below; never lowered here.

    One instance carries one worker: its GPU has no second place.
    """
    if group is None or group.get("Status"):
        return  # it is being made or deleted: managed scaling sees the tasks that wait
    wanted = min(workers, int(group["MaxSize"]))
    if int(group["DesiredCapacity"]) < wanted:
        with domain_errors(f"raise the capacity of {_name(name)}", absent=_BUSY):
            client("autoscaling").set_desired_capacity(
                AutoScalingGroupName=_name(name), DesiredCapacity=wanted, HonorCooldown=False
            )


def reap(name: str, wanted: int, current: Callable[[], int]) -> int:
    """Terminate empty instances beyond the ``wanted`` ones; answers how many.

    Drain first, so that nothing is placed there, then look again: an instance that got a task meanwhile, or a
    service that was raised meanwhile (``current`` reads its count), keeps it.
    """
    cluster = _name(name)
    group = describe_group(cluster)
    if group is None or not group["Instances"]:
        return 0
    usable = {one["InstanceId"] for one in group["Instances"] if one["LifecycleState"] == _IN_SERVICE}
    registered = [one for one in _registered(cluster) if one["ec2InstanceId"] in usable]
    beyond = len(group["Instances"]) - wanted
    empty = [one for one in registered if _is_empty(one)][: max(0, beyond)]
    if not empty:
        return 0
    _move(cluster, empty, "DRAINING")
    arns = {one["containerInstanceArn"] for one in empty}
    still = [one for one in _registered(cluster) if one["containerInstanceArn"] in arns and _is_empty(one)]
    leaving = still[: max(0, len(group["Instances"]) - max(wanted, current()))]
    staying = arns - {one["containerInstanceArn"] for one in leaving}
    _move(cluster, [one for one in empty if one["containerInstanceArn"] in staying], "ACTIVE")
    return sum(_terminate(name, str(one["ec2InstanceId"])) for one in leaving)


def tasks_on(name: str, instance: str) -> list[tuple[str, str]]:
    """Drain an instance, so that nothing new is placed there; the cluster and ARN of each task it has."""
    cluster, found = _name(name), list[tuple[str, str]]()
    mine = [one for one in _registered(cluster) if one["ec2InstanceId"] == instance]
    for one in mine:
        if one["status"] == "ACTIVE":
            _move(cluster, [one], "DRAINING")
        with domain_errors(f"list the tasks of {instance}"):
            answer = client("ecs").list_tasks(cluster=cluster, containerInstance=one["containerInstanceArn"])
        found += [(cluster, str(task)) for task in answer["taskArns"]]
    return found


def _registered(cluster: str) -> list[dict[str, Any]]:
    """Every container instance of the cluster, draining ones too."""
    found: list[dict[str, Any]] = []
    with domain_errors(f"list the instances of {cluster}"):
        ecs = client("ecs")
        for page in ecs.get_paginator("list_container_instances").paginate(cluster=cluster):
            arns = page["containerInstanceArns"]
            if arns:
                answer = ecs.describe_container_instances(cluster=cluster, containerInstances=arns)
                found += answer["containerInstances"]
    return found


def _is_empty(instance: dict[str, Any]) -> bool:
    return int(instance["runningTasksCount"]) + int(instance["pendingTasksCount"]) == 0


def _move(cluster: str, chosen: Iterable[dict[str, Any]], status: str) -> None:
    """At most ten in one call (ECS API UpdateContainerInstancesState)."""
    arns = [one["containerInstanceArn"] for one in chosen if one["status"] != status or status == "ACTIVE"]
    for start in range(0, len(arns), 10):
        with domain_errors(f"set instances of {cluster} to {status}"):
            client("ecs").update_container_instances_state(
                cluster=cluster, containerInstances=arns[start : start + 10], status=status
            )


def _terminate(name: str, instance: str) -> bool:
    """With decrement, so that the group starts none instead; False where it is leaving already."""
    from botocore.exceptions import ClientError

    with domain_errors(f"terminate instance {instance}"):
        try:
            client("autoscaling").terminate_instance_in_auto_scaling_group(
                InstanceId=instance, ShouldDecrementDesiredCapacity=True
            )
        except ClientError as error:
            if code_of(error) not in _BUSY:
                raise
            return False
    logger().info("empty instance terminated", extra={"deployment": name, "instance": instance})
    return True


def _name(deployment: str) -> str:
    """Cluster, service and group of a deployment are called alike."""
    return resource_name(settings().shoal_environment, deployment)
