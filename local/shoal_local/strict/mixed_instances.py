"""Auto Scaling groups of several instance types, or on Spot: what a mixed instances policy must be."""

from __future__ import annotations

from typing import Any

from shoal_local.strict.engine import Call, after, before, refused

MAXIMUM_OVERRIDES = 40
_STRATEGIES = {
    "OnDemandAllocationStrategy": {"prioritized", "lowest-price"},
    "SpotAllocationStrategy": {
        "capacity-optimized", "capacity-optimized-prioritized", "lowest-price", "price-capacity-optimized",
    },
}  # fmt: skip


def policy_of(group: Any) -> dict[str, Any]:
    """The mixed instances policy of moto's group; empty where it has none."""
    return dict(group.mixed_instances_policy or {})


def on_demand_of(group: Any, count: int) -> int:
    """How many of ``count`` instances the policy buys on demand; all without one."""
    distribution = policy_of(group).get("InstancesDistribution", {})
    base = min(count, int(distribution.get("OnDemandBaseCapacity") or 0))
    share = int(distribution.get("OnDemandPercentageAboveBaseCapacity", 100))
    return base + -(-(count - base) * share // 100)


@before("autoscaling", "CreateAutoScalingGroup", "UpdateAutoScalingGroup")
def policy_stands_alone(call: Call) -> None:
    """Auto Scaling API CreateAutoScalingGroup, MixedInstancesPolicy: instead of a launch template (moto looks
    at it only when the group is made)."""
    if call.get("MixedInstancesPolicy") and call.get("LaunchTemplate"):
        message = (
            "Valid requests must contain either LaunchTemplate, LaunchConfigurationName or "
            "MixedInstancesPolicy parameter."
        )
        raise refused("ValidationError", message)


@before("autoscaling", "CreateAutoScalingGroup", "UpdateAutoScalingGroup")
def policy_template_exists(call: Call) -> None:
    """Auto Scaling API LaunchTemplate, LaunchTemplateSpecification: of a policy it is needed, and an unknown
    one is a ValidationError."""
    policy = call.get("MixedInstancesPolicy")
    if policy is None:
        return
    wanted = (policy.get("LaunchTemplate") or {}).get("LaunchTemplateSpecification") or {}
    ec2 = call.backend("ec2")
    identity, name = wanted.get("LaunchTemplateId"), wanted.get("LaunchTemplateName")
    if identity not in ec2.launch_templates and name not in ec2.launch_template_name_to_ids:
        message = (
            "You must use a valid fully-formed launch template. The specified launch template does not exist."
        )
        raise refused("ValidationError", message)


@before("autoscaling", "CreateAutoScalingGroup", "UpdateAutoScalingGroup")
def overrides_are_instance_types(call: Call) -> None:
    """Auto Scaling API LaunchTemplateOverrides: at most 40, each instance type once, known, and all of the
    architecture of the template's image (here: of one)."""
    from moto.ec2.models.instance_types import INSTANCE_TYPES

    launch = (call.get("MixedInstancesPolicy") or {}).get("LaunchTemplate") or {}
    types = [str(one.get("InstanceType")) for one in launch.get("Overrides") or []]
    if len(types) > MAXIMUM_OVERRIDES or len(set(types)) < len(types):
        message = f"Overrides must name at most {MAXIMUM_OVERRIDES} instance types, each of them once."
        raise refused("ValidationError", message)
    unknown = [one for one in types if one not in INSTANCE_TYPES]
    if unknown:
        raise refused("ValidationError", f"Invalid instance type: {', '.join(unknown)}")
    architectures = {str(INSTANCE_TYPES[one]["ProcessorInfo"]["SupportedArchitectures"]) for one in types}
    if len(architectures) > 1:
        raise refused("ValidationError", "The instance types do not match the architecture of the image.")


@before("autoscaling", "CreateAutoScalingGroup", "UpdateAutoScalingGroup")
def distribution_is_in_range(call: Call) -> None:
    """Auto Scaling API InstancesDistribution: OnDemandBaseCapacity from 0,
    OnDemandPercentageAboveBaseCapacity 0 to 100, the strategies that are named there."""
    given = (call.get("MixedInstancesPolicy") or {}).get("InstancesDistribution") or {}
    base = int(given.get("OnDemandBaseCapacity") or 0)
    share = int(given.get("OnDemandPercentageAboveBaseCapacity", 100))
    strategies = {name: given.get(name) for name in _STRATEGIES if given.get(name)}
    if (
        base < 0
        or not 0 <= share <= 100
        or any(one not in _STRATEGIES[name] for name, one in strategies.items())
    ):
        raise refused("ValidationError", f"InstancesDistribution is not valid: {given}")


@before("autoscaling", "UpdateAutoScalingGroup")
def policy_is_kept(call: Call) -> None:
    """Auto Scaling API UpdateAutoScalingGroup: what is not named stays as it is; see
    :func:`policy_is_given_back`."""
    group = call.backend("autoscaling").autoscaling_groups.get(call.get("AutoScalingGroupName"))
    named = call.get("MixedInstancesPolicy") or call.get("LaunchTemplate")
    call.response.shoal_policy = None if named or group is None else group.mixed_instances_policy


@after("autoscaling", "UpdateAutoScalingGroup")
def policy_is_given_back(call: Call, _: Any) -> None:
    """Auto Scaling API UpdateAutoScalingGroup: a change of the size leaves the policy (moto drops it)."""
    if call.response.shoal_policy is not None:
        groups = call.backend("autoscaling").autoscaling_groups
        groups[call.get("AutoScalingGroupName")].mixed_instances_policy = call.response.shoal_policy
