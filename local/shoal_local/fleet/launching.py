"""Auto Scaling launches instances, or says why it cannot: scaling activities, as DescribeScalingActivities
tells them."""

from __future__ import annotations

import datetime
import json
import uuid
from collections.abc import Callable
from typing import Any

from shoal_local.fleet.faults import FleetFaults
from shoal_local.fleet.spot import mark
from shoal_local.names import backend
from shoal_local.patches import contract

LAUNCH = contract(
    "moto.autoscaling.models",
    "FakeAutoScalingGroup.replace_autoscaling_group_instances",
    "self count_needed propagated_tags",
)
ECS_AMI_ROOT_GIB = 30
"""The snapshot of the ECS-optimized AL2023 AMI (amazon-ecs-ami, variables.pkr.hcl)."""


def install(faults: FleetFaults) -> None:
    LAUNCH.replace(_launching(faults, LAUNCH.original))


def uninstall() -> None:
    LAUNCH.restore()


def _launching(faults: FleetFaults, original: Callable[..., None]) -> Callable[..., None]:
    def launch(group: Any, count_needed: int, propagated_tags: dict[str, str]) -> None:
        """Auto Scaling API Activity: a failed launch changes nothing but the list of activities."""
        reason = _obstacle(group, faults)
        if reason:
            record(
                group,
                "Launching a new EC2 instance.",
                f"{reason} Launching EC2 instance failed.",
                failed=True,
            )
            return
        before = {state.instance.id for state in group.instance_states}
        original(group, count_needed, propagated_tags)
        mark(group)
        for state in group.instance_states:
            if state.instance.id not in before:
                record(group, f"Launching a new EC2 instance: {state.instance.id}", None)

    return launch


def _obstacle(group: Any, faults: FleetFaults) -> str:
    if faults.hits("capacity", group.name):
        zone, kind = group.availability_zones[0], group.instance_type
        return (
            "Could not launch On-Demand Instances. InsufficientInstanceCapacity - We currently do not "
            "have sufficient "
            f"{kind} capacity in the Availability Zone you requested ({zone}). Our system will be working on "
            f"provisioning additional capacity."
        )
    template = group.ec2_launch_template
    if template is None:
        return ""
    if template.id not in backend("ec2").launch_templates:
        return f"The specified launch template, with template ID {template.id}, does not exist."
    return _volume_obstacle(template.get_version(group.launch_template_version).data)


def _volume_obstacle(data: dict[str, Any]) -> str:
    """EC2 API EbsBlockDevice, VolumeSize: not smaller than the snapshot (InvalidBlockDeviceMapping)."""
    needed = _snapshot_gib(str(data.get("ImageId", "")))
    for mapping in data.get("BlockDeviceMappings", []):
        size = int((mapping.get("Ebs") or {}).get("VolumeSize") or needed)
        if mapping.get("DeviceName") == "/dev/xvda" and size < needed:
            return (
                f"Volume of size {size}GB is smaller than snapshot of the AMI, expect size >= {needed}GB "
                f"(InvalidBlockDeviceMapping)."
            )
    return ""


def _snapshot_gib(image_id: str) -> int:
    image = backend("ec2").amis.get(image_id)
    mapping = getattr(image, "block_device_mappings", None)
    root = mapping.get("/dev/xvda") if isinstance(mapping, dict) else None
    return int(getattr(root, "size", 0) or ECS_AMI_ROOT_GIB)


def record(group: Any, description: str, message: str | None, failed: bool = False) -> None:
    """One scaling activity, kept on the group; the same failure again only moves its time."""
    moment = datetime.datetime.now(datetime.UTC)
    activities: list[dict[str, Any]] = getattr(group, "shoal_activities", [])
    last = activities[-1] if activities else None
    if failed and last and last["StatusCode"] == "Failed" and last["StatusMessage"] == message:
        last["EndTime"] = moment
        return
    activity = {
        "ActivityId": str(uuid.uuid4()),
        "AutoScalingGroupName": group.name,
        "AutoScalingGroupARN": group.arn,
        "Description": description + (f"  Status Reason: {message}" if failed else ""),
        "Cause": (
            f"At {moment:%Y-%m-%dT%H:%M:%SZ} an instance was started in response to a difference "
            "between desired "
            f"and actual capacity, changing the capacity to {group.desired_capacity}."
        ),
        "StartTime": moment,
        "EndTime": moment,
        "StatusCode": "Failed" if failed else "Successful",
        "Progress": 100,
        "Details": json.dumps({"Availability Zone": group.availability_zones[0]}),
    }
    if message:
        activity["StatusMessage"] = message
    group.shoal_activities = [*activities, activity]
