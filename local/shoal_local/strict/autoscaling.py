"""Auto Scaling groups: made once, kept in bounds, not deleted with instances, deleted later."""

from __future__ import annotations

from typing import Any

from shoal_local.strict.engine import Call, before, refused
from shoal_local.strict.slow import later, observed, pending


def group_of(call: Call) -> Any:
    """moto's group; ValidationError when there is none, as AWS answers."""
    name = call.get("AutoScalingGroupName")
    group = call.backend("autoscaling").autoscaling_groups.get(name)
    if group is None:
        raise refused(
            "ValidationError", f"AutoScalingGroup name not found - AutoScalingGroup '{name}' not found"
        )
    return group


def _in_bounds(low: Any, desired: Any, high: Any) -> None:
    if low is not None and high is not None and int(low) > int(high):
        raise refused("ValidationError", f"Min bound, {low}, must be less than or equal to max bound, {high}")
    if desired is None:
        return
    if high is not None and int(desired) > int(high):
        message = (
            f"Desired capacity:{desired} must be between the specified min size:{low} and max size:{high}"
        )
        raise refused("ValidationError", message)
    if low is not None and int(desired) < int(low):
        message = (
            f"Desired capacity:{desired} must be between the specified min size:{low} and max size:{high}"
        )
        raise refused("ValidationError", message)


@before("autoscaling", "CreateAutoScalingGroup")
def group_is_created_once(call: Call) -> None:
    """Auto Scaling API CreateAutoScalingGroup: AlreadyExists, also while a group of that name is being
    deleted (moto replaces it and its instances leak)."""
    name = call.get("AutoScalingGroupName", "")
    if name in call.backend("autoscaling").autoscaling_groups:
        message = (
            f"AutoScalingGroup by this name already exists - A group with the name {name} already exists "
            "or is pending delete"
        )
        raise refused("AlreadyExists", message)


@before("autoscaling", "CreateAutoScalingGroup")
def group_sizes_agree(call: Call) -> None:
    """Auto Scaling API CreateAutoScalingGroup: MinSize <= DesiredCapacity <= MaxSize."""
    _in_bounds(call.get("MinSize"), call.get("DesiredCapacity"), call.get("MaxSize"))


@before("autoscaling", "CreateAutoScalingGroup")
def group_template_exists(call: Call) -> None:
    """Auto Scaling API LaunchTemplateSpecification: an unknown launch template is a ValidationError."""
    wanted = call.get("LaunchTemplate") or {}
    ec2 = call.backend("ec2")
    identity, name = wanted.get("LaunchTemplateId"), wanted.get("LaunchTemplateName")
    known = identity in ec2.launch_templates or name in ec2.launch_template_name_to_ids
    if wanted and not known:
        message = (
            "You must use a valid fully-formed launch template. The specified launch template does not exist."
        )
        raise refused("ValidationError", message)


@before("autoscaling", "UpdateAutoScalingGroup")
def updated_sizes_agree(call: Call) -> None:
    """Auto Scaling API UpdateAutoScalingGroup: the same bounds, with what the group already has."""
    group = group_of(call)
    low, high = call.get("MinSize", group.min_size), call.get("MaxSize", group.max_size)
    _in_bounds(low, call.get("DesiredCapacity"), high)


@before("autoscaling", "SetDesiredCapacity")
def desired_capacity_is_in_bounds(call: Call) -> None:
    """Auto Scaling API SetDesiredCapacity: a ValidationError above MaxSize or below MinSize; not on a
    group that is being deleted (ScalingActivityInProgress)."""
    group, desired = group_of(call), int(call.get("DesiredCapacity"))
    if pending(group):
        raise refused("ScalingActivityInProgress", f"AutoScalingGroup {group.name} is being deleted.")
    if desired > group.max_size:
        message = (
            f"New SetDesiredCapacity value {desired} is above max value {group.max_size} for the "
            "AutoScalingGroup."
        )
        raise refused("ValidationError", message)
    if desired < group.min_size:
        message = (
            f"New SetDesiredCapacity value {desired} is below min value {group.min_size} for the "
            "AutoScalingGroup."
        )
        raise refused("ValidationError", message)


@before("autoscaling", "DeleteAutoScalingGroup")
def group_is_deleted_later(call: Call) -> dict[str, Any]:
    """Auto Scaling API DeleteAutoScalingGroup: ResourceInUse with instances unless ForceDelete, which
    terminates all of them, protected ones too; the group stays, "Delete in progress", until they are gone."""
    group = group_of(call)
    if pending(group):
        return {}
    if group.instance_states and not call.get("ForceDelete"):
        message = (
            "You cannot delete an AutoScalingGroup while there are instances or pending Spot instance "
            "request(s) "
            "still in the group."
        )
        raise refused("ResourceInUse", message)
    backend = call.backend("autoscaling")
    group.status, group.max_size, group.min_size, group.desired_capacity = "Delete in progress", 0, 0, 0
    _terminate_all(group)
    later(group, lambda: _forget(backend, group))
    return {}


def _terminate_all(group: Any) -> None:
    identities = [state.instance.id for state in group.instance_states]
    group.instance_states = []
    if identities:
        group.ec2_backend.terminate_instances(identities)


def _forget(backend: Any, group: Any) -> None:
    backend.autoscaling_groups.pop(group.name, None)


@before("autoscaling", "DescribeAutoScalingGroups")
def deletion_in_progress_is_shown(call: Call) -> None:
    """Auto Scaling API AutoScalingGroup, Status: the state of the group when deletion is in progress."""
    for group in list(call.backend("autoscaling").autoscaling_groups.values()):
        observed(group)


@before("autoscaling", "DescribeScalingActivities")
def activities_are_told(call: Call) -> dict[str, Any]:
    """Auto Scaling API DescribeScalingActivities: newest first, with StatusCode, StatusMessage and Cause
    (moto: none)."""
    backend = call.backend("autoscaling")
    name = call.get("AutoScalingGroupName")
    groups = [g for g in backend.autoscaling_groups.values() if name in (None, g.name)]
    found = [activity for group in groups for activity in getattr(group, "shoal_activities", [])]
    if name and not groups and not call.get("IncludeDeletedGroups"):
        raise refused(
            "ValidationError", f"AutoScalingGroup name not found - AutoScalingGroup '{name}' not found"
        )
    found.sort(key=lambda activity: activity["StartTime"], reverse=True)
    return {"Activities": found[: int(call.get("MaxRecords", 100))]}


@before("autoscaling", "TerminateInstanceInAutoScalingGroup")
def terminated_instance_is_in_a_group(call: Call) -> None:
    """Auto Scaling API TerminateInstanceInAutoScalingGroup: a ValidationError for an instance of no group
    (moto: 500) and for one whose going would break MinSize."""
    identity = call.get("InstanceId")
    groups = call.backend("autoscaling").autoscaling_groups.values()
    group = next((g for g in groups if identity in [s.instance.id for s in g.instance_states]), None)
    if group is None:
        message = f"Instance Id not found - No managed instance found for instance ID: {identity}"
        raise refused("ValidationError", message)
    if (
        str(call.get("ShouldDecrementDesiredCapacity")).lower() == "true"
        and group.desired_capacity <= group.min_size
    ):
        message = (
            f"Currently, desiredSize equals minSize ({group.min_size}). Terminating instance without "
            "replacement "
            "will violate group's min size constraint. Either set shouldDecrementDesiredCapacity flag "
            "to false or "
            "lower group's min size."
        )
        raise refused("ValidationError", message)
