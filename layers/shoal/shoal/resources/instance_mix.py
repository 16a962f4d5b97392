"""What a fleet on Spot, or of several instance types, buys, and in which zones (EC2 Auto Scaling, EC2).

Source: EC2 Auto Scaling guide, "Auto Scaling groups with multiple instance types and purchase options".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from shoal.aws import client, domain_errors
from shoal.contracts.deployment import DeploymentSpec
from shoal.errors import NoCapacity
from shoal.settings import settings

SUBNETS = "subnets"
"""Where the ledger's line of a launch template version keeps the subnets of its revision."""
_ALL, _NONE = 100, 0


def purchase(spec: DeploymentSpec, template: dict[str, str]) -> dict[str, Any]:
    """What of a group's request says which instances it starts: a template alone, or with a mixed instances
    policy."""
    if not spec.is_mixed:
        return {"LaunchTemplate": template}
    launch = {"LaunchTemplateSpecification": template, "Overrides": _overrides(spec)}
    return {"MixedInstancesPolicy": {"LaunchTemplate": launch, "InstancesDistribution": _distribution(spec)}}


def difference(spec: DeploymentSpec, group: Mapping[str, Any]) -> str:
    """How a group buys otherwise than the specification says; empty where it does not."""
    policy = group.get("MixedInstancesPolicy") or {}
    found = _types(policy.get("LaunchTemplate", {}).get("Overrides", []))
    wanted = spec.every_instance_type if spec.is_mixed else ()
    if found != wanted:
        return f"it may start {_listed(found)}, the specification says {_listed(wanted)}"
    given = policy.get("InstancesDistribution", {})
    changed = [name for name, value in _distribution(spec).items() if str(given.get(name)) != str(value)]
    if spec.is_mixed and changed:
        return f"its instances are bought otherwise than specified: {', '.join(changed)}"
    return ""


def subnets_for(spec: DeploymentSpec) -> list[str]:
    """The stack's subnets in whose zones one of the types is offered, in their order.

    Raises:
        NoCapacity: there is none.
    """
    zones = _zones_of(settings().subnets())
    offered = _offering(spec.every_instance_type)
    found = [subnet for subnet in settings().subnets() if zones.get(subnet) in offered]
    if not found:
        where = ", ".join(sorted(set(zones.values())))
        raise NoCapacity(
            f"none of {', '.join(spec.every_instance_type)} is offered in {where}: choose other types, "
            "or give the stack subnets in other zones"
        )
    return found


def _overrides(spec: DeploymentSpec) -> list[dict[str, str]]:
    return [{"InstanceType": one} for one in spec.every_instance_type]


def _distribution(spec: DeploymentSpec) -> dict[str, Any]:
    """Price-capacity-optimized: of the pools that are least likely to be interrupted the cheapest."""
    return {
        "OnDemandAllocationStrategy": "prioritized",
        "OnDemandBaseCapacity": spec.on_demand_base,
        "OnDemandPercentageAboveBaseCapacity": _NONE if spec.spot else _ALL,
        "SpotAllocationStrategy": "price-capacity-optimized",
    }


def _types(overrides: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    return tuple(str(one.get("InstanceType")) for one in overrides)


def _listed(types: tuple[str, ...]) -> str:
    return ", ".join(types) or "its template's type alone"


def _zones_of(subnets: list[str]) -> dict[str, str]:
    with domain_errors("look at the subnets"):
        answer = client("ec2").describe_subnets(SubnetIds=subnets)
    return {str(one["SubnetId"]): str(one["AvailabilityZone"]) for one in answer["Subnets"]}


def _offering(types: tuple[str, ...]) -> set[str]:
    """The zones that have one of the types (EC2 API DescribeInstanceTypeOfferings)."""
    with domain_errors("ask where the instance types are offered"):
        pages = client("ec2").get_paginator("describe_instance_type_offerings")
        found = pages.paginate(
            LocationType="availability-zone", Filters=[{"Name": "instance-type", "Values": list(types)}]
        )
        return {str(one["Location"]) for page in found for one in page["InstanceTypeOfferings"]}
