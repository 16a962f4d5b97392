"""A running task becomes a target of its service's target groups, and stops being one before it stops."""

from __future__ import annotations

from typing import Any

from shoal_local.fleet import events
from shoal_local.fleet.records import TaskRecord
from shoal_local.names import backend
from shoal_local.strict import elbv2_targets

ADDRESSES: dict[tuple[str, int], int] = {}
"""(target id, port) to the loopback port where that target listens; filled here, read by the balancer."""


def register(service: Any, task: TaskRecord, instance_id: str) -> None:
    """Bridge mode: the instance and the host port; awsvpc: the task's address and the container port."""
    for balanced in service.load_balancers or []:
        group = backend("elbv2").target_groups.get(balanced["targetGroupArn"])
        if group is None:
            continue
        identity = instance_id or address_of(task)
        port = task.host_port if instance_id else int(balanced["containerPort"])
        ADDRESSES[(identity, port)] = task.host_port
        elbv2_targets.register(group, identity, port)
        task.targets.append((group.arn, identity, port))
        events.registered(service, group.arn)


def deregister(service: Any, task: TaskRecord) -> float:
    """Take a task off its groups; the seconds its connections may take to drain (0 when nothing routes to
    it)."""
    longest = 0.0
    for arn, identity, port in task.targets:
        group = backend("elbv2").target_groups.get(arn)
        if group is None:
            continue
        elbv2_targets.deregister(group, identity, port)
        events.deregistered(service, arn)
        if group.load_balancer_arns and elbv2_targets.Checker.present:
            longest = max(longest, float(group.attributes["deregistration_delay.timeout_seconds"]))
    task.targets = []
    return longest


def health_of(task: TaskRecord) -> list[tuple[str, str, int, dict[str, str]]]:
    """(target group ARN, target id, port, TargetHealth) of each group the task is in."""
    found = []
    for arn, identity, port in task.targets:
        group = backend("elbv2").target_groups.get(arn)
        entry = group.targets.get(elbv2_targets.key_of(identity, port)) if group else None
        if entry is not None:
            found.append((arn, identity, port, entry["Health"]))
    return found


def address_of(task: TaskRecord) -> str:
    """The private address of an awsvpc task."""
    details = [detail for attachment in task.attachments for detail in attachment["details"]]
    return next((d["value"] for d in details if d["name"] == "privateIPv4Address"), "127.0.0.1")
