"""Targets of a target group: an instance can be registered with several ports, and its health is
somebody's finding.

A target is ``{"Id", "Port", "Health"}`` in moto's ``targets``, under the key ``id:port`` (moto's key is
the id alone, so that the second task on an instance would push out the first).
"""

from __future__ import annotations

from typing import Any

from shoal_local.strict.engine import Call, before, refused

HEALTHY = {"State": "healthy"}
INITIAL = {
    "State": "initial",
    "Reason": "Elb.RegistrationInProgress",
    "Description": "Target registration is in progress",
}
DRAINING = {
    "State": "draining",
    "Reason": "Target.DeregistrationInProgress",
    "Description": "Target deregistration is in progress",
}
_ABSENT = {
    "State": "unused",
    "Reason": "Target.NotRegistered",
    "Description": "Target is not registered to the target group",
}
_UNUSED = {
    "State": "unused",
    "Reason": "Target.NotInUse",
    "Description": "Target group is not configured to receive traffic from the load balancer",
}


class Checker:
    """Whether somebody checks health. Without a checker a target is healthy at once and gone at once, as
    in moto."""

    present = False


def key_of(identity: str, port: int) -> str:
    return f"{identity}:{port}"


def _group(call: Call) -> Any:
    group = call.backend("elbv2").target_groups.get(call.get("TargetGroupArn"))
    if group is None:
        raise refused("TargetGroupNotFound", "One or more target groups not found")
    return group


def register(group: Any, identity: str, port: int) -> None:
    """Add a target; registering it again leaves its health alone."""
    health = dict(INITIAL if Checker.present else HEALTHY)
    entry = group.targets.setdefault(key_of(identity, port), {"Id": identity, "Port": port, "Health": health})
    if entry["Health"]["State"] == "draining":
        entry["Health"] = health


def deregister(group: Any, identity: str, port: int) -> None:
    """Let a target drain; without a checker it is gone."""
    key = key_of(identity, port)
    if Checker.present and key in group.targets:
        group.targets[key]["Health"] = dict(DRAINING)
        return
    group.targets.pop(key, None)


@before("elbv2", "RegisterTargets")
def targets_are_instances_or_addresses(call: Call) -> dict[str, Any]:
    """ELBv2 API RegisterTargets: the same target can be registered with several ports; an unknown or
    stopped instance is InvalidTarget."""
    group = _group(call)
    for target in call.get("Targets", []):
        _check(call, group, target["Id"])
        register(group, target["Id"], int(target.get("Port") or group.port))
    return {}


def _check(call: Call, group: Any, identity: str) -> None:
    if group.target_type != "instance":
        return
    instance = call.backend("ec2").get_instance_by_id(identity)
    if instance is None or instance.state != "running":
        message = f"The following targets are not in a running state and cannot be registered: '{identity}'"
        raise refused("InvalidTarget", message)


@before("elbv2", "DeregisterTargets")
def missing_targets_are_deregistered(call: Call) -> dict[str, Any]:
    """ELBv2 API DeregisterTargets: "If the specified target does not exist, the action returns
    successfully."; a target named without a port is deregistered from all its ports."""
    group = _group(call)
    for target in call.get("Targets", []):
        for entry in list(group.targets.values()):
            if entry["Id"] == target["Id"] and str(entry["Port"]) == str(target.get("Port") or entry["Port"]):
                deregister(group, entry["Id"], int(entry["Port"]))
    return {}


@before("elbv2", "DescribeTargetHealth")
def target_health_is_what_was_found(call: Call) -> dict[str, Any]:
    """ELBv2 API TargetHealth: State initial, healthy, unhealthy, unused or draining, with Reason and
    Description."""
    group = _group(call)
    asked = call.get("Targets", [])
    keys = (
        [key_of(t["Id"], int(t.get("Port") or group.port)) for t in asked] if asked else list(group.targets)
    )
    return {"TargetHealthDescriptions": [_description(group, key) for key in keys]}


def _description(group: Any, key: str) -> dict[str, Any]:
    identity, _, port = key.rpartition(":")
    entry = group.targets.get(key)
    health = (
        _ABSENT if entry is None else entry.get("Health", HEALTHY) if group.load_balancer_arns else _UNUSED
    )
    target = {"Id": identity, "Port": int(port)}
    return {"Target": target, "HealthCheckPort": str(port), "TargetHealth": dict(health)}
