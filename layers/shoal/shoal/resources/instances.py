"""The instances of a deployment: made by its Auto Scaling group and gone with it, but for stragglers."""

from __future__ import annotations

from shoal.aws import client, domain_errors
from shoal.resources.kind import DEPLOYMENT_TAG, ENVIRONMENT_TAG, Scope

_ALIVE = ["pending", "running", "stopping", "stopped", "shutting-down"]
_ABSENT = frozenset({"InvalidInstanceID.NotFound"})


def terminate_stragglers(scope: Scope) -> list[str]:
    """Ids of instances with our tags that are not terminated yet; those not on their way are told to go."""
    filters = [
        {"Name": f"tag:{ENVIRONMENT_TAG}", "Values": [scope.environment]},
        {"Name": f"tag:{DEPLOYMENT_TAG}", "Values": [scope.deployment]},
        {"Name": "instance-state-name", "Values": _ALIVE},
    ]
    with domain_errors("look for instances"):
        pages = client("ec2").get_paginator("describe_instances").paginate(Filters=filters)
        states = {
            instance["InstanceId"]: instance["State"]["Name"]
            for page in pages
            for reservation in page["Reservations"]
            for instance in reservation["Instances"]
        }
    standing = [instance for instance, state in states.items() if state != "shutting-down"]
    if standing:
        with domain_errors("terminate instances", absent=_ABSENT):
            client("ec2").terminate_instances(InstanceIds=standing)
    return sorted(states)
