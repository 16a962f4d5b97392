"""ECS tasks of services: listed by their instance, stopped on request, protected or not."""

from __future__ import annotations

from typing import Any

from shoal_local.strict.engine import Call, before, refused
from shoal_local.strict.service_checks import cluster_of


def _tasks(call: Call) -> list[Any]:
    return list(call.backend("ecs").tasks.get(cluster_of(call).name, {}).values())


@before("ecs", "ListTasks")
def tasks_of_an_instance_are_listed(call: Call) -> dict[str, Any] | None:
    """ECS API ListTasks, containerInstance: the tasks on it whose desired status is RUNNING, or the one named
    (moto breaks on a task that has no place yet)."""
    instance = call.get("containerInstance")
    if not instance:
        return None
    wanted = call.get("desiredStatus", "RUNNING")
    found = [
        one.task_arn
        for one in _tasks(call)
        if str(one.container_instance_arn).rsplit("/", 1)[-1] == str(instance).rsplit("/", 1)[-1]
        and one.desired_status == wanted
    ]
    return {"taskArns": found}


@before("ecs", "StopTask")
def stopped_task_ends_by_itself(call: Call) -> dict[str, Any]:
    """ECS API StopTask: SIGTERM, SIGKILL after its stop timeout; scale-in protection does not hold it; an
    unknown one is an InvalidParameterException (moto calls it STOPPED at once; 500 for an unknown one)."""
    name = str(call.get("task", "")).rsplit("/", 1)[-1]
    task = next((one for one in _tasks(call) if one.task_arn.rsplit("/", 1)[-1] == name), None)
    if task is None:
        raise refused("InvalidParameterException", "The referenced task was not found.")
    if hasattr(task, "stop"):
        task.stop("UserInitiated", str(call.get("reason", "")))
    else:
        task.desired_status, task.stopped_reason = "STOPPED", str(call.get("reason", ""))
    return {
        "task": {
            "taskArn": task.task_arn,
            "clusterArn": task.cluster_arn,
            "desiredStatus": task.desired_status,
            "lastStatus": task.last_status,
            "stoppedReason": task.stopped_reason,
        }
    }
