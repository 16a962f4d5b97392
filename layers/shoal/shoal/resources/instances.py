"""The instances of a deployment and their volumes: gone with its Auto Scaling group, but for stragglers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from shoal.aws import client, domain_errors
from shoal.resources.kind import (
    DEPLOYMENT_TAG,
    ENVIRONMENT_TAG,
    MANAGED_BY_TAG,
    OWNER,
    Scope,
    plain_tags,
)

_ALIVE = ["pending", "running", "stopping", "stopped", "shutting-down"]
_ABSENT = frozenset({"InvalidInstanceID.NotFound"})
_NO_VOLUME = frozenset({"InvalidVolume.NotFound"})


@dataclass(frozen=True)
class Instance:
    """One that is not terminated yet."""

    instance_id: str
    instance_type: str
    state: str


@dataclass(frozen=True)
class Volume:
    """One that is not deleted yet; ``state`` is EC2's (in-use, available, deleting)."""

    volume_id: str
    gib: int
    state: str


def alive(scope: Scope) -> list[Instance]:
    """The instances with our tags, by id."""
    filters = [*_ours(scope), {"Name": "instance-state-name", "Values": _ALIVE}]
    with domain_errors("look for instances"):
        pages = client("ec2").get_paginator("describe_instances").paginate(Filters=filters)
        found = [
            _instance(one)
            for page in pages
            for reservation in page["Reservations"]
            for one in reservation["Instances"]
        ]
    return sorted(found, key=lambda one: one.instance_id)


def alive_in(environment: str) -> list[tuple[Instance, dict[str, str]]]:
    """The instances of every deployment, each with its tags."""
    filters = [
        {"Name": f"tag:{MANAGED_BY_TAG}", "Values": [OWNER]},
        {"Name": f"tag:{ENVIRONMENT_TAG}", "Values": [environment]},
        {"Name": "instance-state-name", "Values": _ALIVE},
    ]
    with domain_errors("look for instances"):
        pages = client("ec2").get_paginator("describe_instances").paginate(Filters=filters)
        return [
            (_instance(one), plain_tags(one["Tags"]))
            for page in pages
            for reservation in page["Reservations"]
            for one in reservation["Instances"]
        ]


def terminate_stragglers(scope: Scope) -> list[Instance]:
    """The instances that are left; those not on their way are told to go."""
    found = alive(scope)
    standing = [one.instance_id for one in found if one.state != "shutting-down"]
    if standing:
        with domain_errors("terminate instances", absent=_ABSENT):
            client("ec2").terminate_instances(InstanceIds=standing)
    return found


def delete_stray_volumes(scope: Scope) -> list[Volume]:
    """The volumes that are left; those that no instance holds are deleted. They go with their instance, but
    for one whose instance died while it was attached.
    """
    with domain_errors("look for volumes"):
        pages = client("ec2").get_paginator("describe_volumes").paginate(Filters=_ours(scope))
        found = [
            Volume(one["VolumeId"], int(one["Size"]), one["State"])
            for page in pages
            for one in page["Volumes"]
            if one["State"] != "deleted"
        ]
    for volume in found:
        if volume.state == "available":
            with domain_errors(f"delete volume {volume.volume_id}", absent=_NO_VOLUME):
                client("ec2").delete_volume(VolumeId=volume.volume_id)
    return found


def _instance(one: dict[str, Any]) -> Instance:
    return Instance(one["InstanceId"], one["InstanceType"], one["State"]["Name"])


def _ours(scope: Scope) -> list[dict[str, Any]]:
    return [
        {"Name": f"tag:{ENVIRONMENT_TAG}", "Values": [scope.environment]},
        {"Name": f"tag:{DEPLOYMENT_TAG}", "Values": [scope.deployment]},
    ]
