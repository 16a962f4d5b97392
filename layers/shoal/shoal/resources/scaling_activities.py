"""Why an Auto Scaling group starts no instance: missing capacity and quotas appear nowhere else."""

from __future__ import annotations

import re
from typing import Any

from shoal.aws import client, domain_errors

NEWEST = 3
_NOTHING_FAILED = frozenset({"Successful", "InProgress", "PreInService", "WaitingForELBConnectionDraining"})
_CODE = re.compile(r"\b([A-Z][A-Za-z]+(?:\.[A-Z][A-Za-z]+)*) - ")
"""EC2's error code: Auto Scaling gives it nowhere but in its sentence, before a dash."""
_QUOTA = "ask for more in Service Quotas (Amazon EC2, {0}), or lower fleet_size"
_ADVICE = {
    "InsufficientInstanceCapacity": "it is tried again by itself; sooner with another instance_type, or with "
    "subnets in more zones",
    "VcpuLimitExceeded": _QUOTA.format("Running On-Demand G and VT instances"),
    "InstanceLimitExceeded": _QUOTA.format("Running On-Demand G and VT instances"),
    "MaxSpotInstanceCountExceeded": _QUOTA.format("All G and VT Spot Instance Requests"),
    "UnfulfillableCapacity": "it is tried again by itself; sooner with further instance_types",
    "SpotMaxPriceTooLow": "the Spot price rose above the price on demand: it is tried again by itself",
    "Unsupported": "its zone does not have this instance type: choose another one, or other subnets",
    "PendingVerification": "AWS verifies the account for this region: it is tried again by itself",
}
"""What to do about each (EC2 API reference, "Error codes"; EC2 Auto Scaling guide, "Troubleshoot")."""


def failures(group: str) -> list[str]:
    """Those of the newest three activities that failed, newest first, each with what to do."""
    return [in_words(one) for one in _newest(group) if _failed(one)]


def obstacle(group: str) -> str:
    """Why the newest activity failed, with what to do; empty where it did not."""
    newest = _newest(group)[:1]
    return in_words(newest[0]) if newest and _failed(newest[0]) else ""


def in_words(activity: dict[str, Any]) -> str:
    """An activity's own sentence, and what a person can do."""
    said = str(activity.get("StatusMessage") or activity["StatusCode"])
    found = _CODE.search(said)
    advice = _ADVICE.get(found[1]) if found else None
    return f"{said} (what to do: {advice})" if advice else said


def _failed(activity: dict[str, Any]) -> bool:
    return activity["StatusCode"] not in _NOTHING_FAILED


def _newest(group: str) -> list[dict[str, Any]]:
    with domain_errors(f"read the scaling activities of {group}"):
        answer = client("autoscaling").describe_scaling_activities(AutoScalingGroupName=group)
    return list(answer["Activities"][:NEWEST])
