"""Service events in ECS's words (ECS guide, "Service event messages"), and the one for EventBridge."""

from __future__ import annotations

import uuid
from typing import Any

from shoal_local.fleet.records import ContainerRecord, TaskRecord, now
from shoal_local.names import ACCOUNT, REGION, backend

KEPT_EVENTS = 100


def say(service: Any, message: str) -> None:
    """Put an event first; the same twice in a row is said once. ECS keeps the last 100."""
    text = f"(service {service.name}) {message}"
    if service.events and service.events[0]["message"] == text:
        return
    service.events.insert(0, {"id": str(uuid.uuid4()), "createdAt": now(), "message": text})
    del service.events[KEPT_EVENTS:]


def started(service: Any, task_ids: list[str]) -> None:
    say(service, f"has started {len(task_ids)} tasks: {_tasks(task_ids)}.")


def stopped(service: Any, task_ids: list[str]) -> None:
    say(service, f"has stopped {len(task_ids)} running tasks: {_tasks(task_ids)}.")


def task_stopped(task: TaskRecord) -> None:
    """EventBridge is told (ECS guide, "Amazon ECS task state change events"); of all changes, this one."""
    event = {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "ECS Task State Change",
        "source": "aws.ecs",
        "account": ACCOUNT,
        "time": now().timestamp(),
        "region": REGION,
        "resources": [task.task_arn],
        "detail": {
            "clusterArn": task.cluster_arn,
            "taskArn": task.task_arn,
            "taskDefinitionArn": task.task_definition_arn,
            "containerInstanceArn": task.container_instance_arn,
            "group": task.group,
            "lastStatus": "STOPPED",
            "desiredStatus": "STOPPED",
            "stopCode": task.stop_code,
            "stoppedReason": task.stopped_reason,
            "containers": [_ended(one) for one in task.containers],
        },
    }
    for bus in list(backend("events").event_buses.values()):
        for rule in list(bus.rules.values()):
            rule.send_to_targets(event, transform_input=False)


def _ended(container: ContainerRecord) -> dict[str, Any]:
    known = {"exitCode": container.exit_code, "reason": container.reason}
    return {"name": container.name} | {key: value for key, value in known.items() if value is not None}


def registered(service: Any, group_arn: str) -> None:
    say(service, f"registered 1 targets in (target-group {group_arn})")


def deregistered(service: Any, group_arn: str) -> None:
    say(service, f"deregistered 1 targets in (target-group {group_arn})")


def unhealthy(service: Any, identity: str, port: int, group_arn: str, reason: str) -> None:
    where = f"(instance {identity}) " if identity.startswith("i-") else ""
    say(service, f"{where}(port {port}) is unhealthy in (target-group {group_arn}) due to (reason {reason}).")


def container_unhealthy(service: Any, task_id: str) -> None:
    say(service, f"(task {task_id}) failed container health checks.")


def no_place(service: Any, lacking: str, closest: str) -> None:
    """``lacking`` is the short resource, ``closest`` the container instance that came nearest; both may be
    empty."""
    reason = "No Container Instances were found in your cluster."
    if closest:
        nearest = closest.rsplit("/", 1)[-1]
        reason = f"The closest matching (container-instance {nearest}) has insufficient {lacking} available."
    text = "was unable to place a task because no container instance met all of its requirements. Reason: "
    say(
        service,
        (
            f"{text}{reason} For more information, see the Troubleshooting section of the Amazon ECS "
            "Developer Guide."
        ),
    )


def inconsistent(service: Any) -> None:
    text = (
        "is unable to consistently start tasks successfully. For more information, see the "
        "Troubleshooting section"
    )
    say(service, f"{text} of the Amazon ECS Developer Guide.")


def steady(service: Any) -> None:
    say(service, "has reached a steady state.")


def deployment_completed(service: Any, deployment_id: str) -> None:
    say(service, f"(deployment {deployment_id}) deployment completed.")


def deployment_failed(service: Any, deployment_id: str) -> None:
    say(service, f"(deployment {deployment_id}) deployment failed: tasks failed to start.")


def rolled_back(service: Any, deployment_id: str) -> None:
    say(service, f"rolling back to (deployment {deployment_id}).")


def _tasks(task_ids: list[str]) -> str:
    return " ".join(f"(task {identity})" for identity in task_ids)
