"""ECS task scale-in protection, which moto does not have."""

from __future__ import annotations

import datetime
from typing import Any

from shoal_local.strict.engine import Call, before, refused
from shoal_local.strict.service_checks import cluster_of


def _task(call: Call, reference: str) -> Any:
    tasks = call.backend("ecs").tasks.get(cluster_of(call).name, {})
    return next(
        (task for arn, task in tasks.items() if arn.rsplit("/", 1)[-1] == reference.rsplit("/", 1)[-1]), None
    )


def protected_until(task: Any) -> datetime.datetime | None:
    """When a task's protection ends; None when it has none, or no more."""
    expires: datetime.datetime | None = getattr(task, "protection_expires", None)
    return expires if expires and expires > datetime.datetime.now(datetime.UTC) else None


def _answer(task: Any) -> dict[str, Any]:
    expires = protected_until(task)
    answer: dict[str, Any] = {"taskArn": task.task_arn, "protectionEnabled": expires is not None}
    return answer | ({"expirationDate": expires} if expires else {})


@before("ecs", "UpdateTaskProtection")
def protection_is_for_running_service_tasks(call: Call) -> dict[str, Any]:
    """ECS API UpdateTaskProtection: expiresInMinutes 1 to 2880, 120 by default; up to 10 tasks; tasks that
    belong to no service fail with TASK_NOT_VALID, unknown ones with MISSING."""
    minutes, names = int(call.get("expiresInMinutes", 120)), call.get("tasks", [])
    if not 1 <= minutes <= 2880:
        raise refused("InvalidParameterException", "expiresInMinutes must be between 1 and 2880.")
    if not 1 <= len(names) <= 10:
        raise refused("InvalidParameterException", "Between 1 and 10 tasks must be given.")
    done, failures = [], []
    for name in names:
        task = _task(call, name)
        if task is None or task.last_status == "STOPPED":
            failures.append({"arn": name, "reason": "MISSING"})
        elif not str(task.group).startswith("service:"):
            failures.append({"arn": task.task_arn, "reason": "TASK_NOT_VALID"})
        else:
            length = datetime.timedelta(minutes=minutes)
            until = datetime.datetime.now(datetime.UTC) + length if call.get("protectionEnabled") else None
            task.protection_expires = until
            done.append(_answer(task))
    return {"protectedTasks": done, "failures": failures}


@before("ecs", "GetTaskProtection")
def protection_is_told(call: Call) -> dict[str, Any]:
    """ECS API GetTaskProtection: up to 100 tasks; unknown ones are failures with MISSING."""
    found = {name: _task(call, name) for name in call.get("tasks", [])}
    failures = [{"arn": name, "reason": "MISSING"} for name, task in found.items() if task is None]
    return {
        "protectedTasks": [_answer(task) for task in found.values() if task is not None],
        "failures": failures,
    }
