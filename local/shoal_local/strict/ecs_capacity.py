"""ECS capacity providers: names, their one Auto Scaling group, and being in use."""

from __future__ import annotations

import re
from typing import Any

from shoal_local.strict.ecs_clusters import check_provider_exists, services_of
from shoal_local.strict.engine import Call, after, before, refused
from shoal_local.strict.service_checks import cluster_of
from shoal_local.strict.slow import later, observed, pending

_NAME = re.compile(r"[A-Za-z0-9_-]{1,255}")


def group_of(call: Call, arn: str) -> Any:
    """moto's Auto Scaling group by ARN (or name), or None."""
    return call.backend("autoscaling").autoscaling_groups.get(arn.rsplit("/", 1)[-1])


def _active(call: Call) -> list[Any]:
    return [p for p in call.backend("ecs").capacity_providers.values() if p.status == "ACTIVE"]


@before("ecs", "CreateCapacityProvider")
def provider_name_is_free_and_valid(call: Call) -> None:
    """ECS API CreateCapacityProvider, name: up to 255 of [A-Za-z0-9_-], not prefixed aws, ecs or fargate;
    unique."""
    name = call.get("name", "")
    if not _NAME.fullmatch(name) or name.lower().startswith(("aws", "ecs", "fargate")):
        message = (
            "The specified capacity provider name is invalid. Up to 255 characters, not prefixed "
            "aws, ecs, fargate."
        )
        raise refused("InvalidParameterException", message)
    if name in [provider.name for provider in _active(call)]:
        message = (
            "A capacity provider with the specified name already exists. Specify a unique name and try again."
        )
        raise refused("ClientException", message)


@before("ecs", "CreateCapacityProvider")
def provider_has_a_group_of_its_own(call: Call) -> None:
    """ECS API AutoScalingGroupProvider, autoScalingGroupArn: it exists, and one group has one provider
    (containers-roadmap issue 632)."""
    arn = call.get("autoScalingGroupProvider", {}).get("autoScalingGroupArn", "")
    if group_of(call, arn) is None:
        raise refused("ClientException", "The specified Auto Scaling group ARN does not exist.")
    taken = [p.auto_scaling_group_provider["autoScalingGroupArn"].rsplit("/", 1)[-1] for p in _active(call)]
    if arn.rsplit("/", 1)[-1] in taken:
        message = (
            "The specified Auto Scaling group ARN is already being used by another capacity provider. "
            "Specify a unique Auto Scaling group ARN and try again."
        )
        raise refused("ClientException", message)


@before("ecs", "CreateCapacityProvider")
def managed_scaling_is_in_range(call: Call) -> None:
    """ECS API ManagedScaling: targetCapacity 1 to 100, step sizes 1 to 10000, instanceWarmupPeriod 0 to
    10000."""
    scaling = call.get("autoScalingGroupProvider", {}).get("managedScaling") or {}
    ranges = {
        "targetCapacity": (1, 100), "minimumScalingStepSize": (1, 10000),
        "maximumScalingStepSize": (1, 10000), "instanceWarmupPeriod": (0, 10000),
    }  # fmt: skip
    for name, (low, high) in ranges.items():
        value = scaling.get(name)
        if value is not None and not low <= int(value) <= high:
            raise refused(
                "InvalidParameterException", f"{name} must be between {low} and {high}, not {value}."
            )


@before("ecs", "CreateCapacityProvider")
def termination_protection_needs_protected_instances(call: Call) -> None:
    """ECS API AutoScalingGroupProvider, managedTerminationProtection: managed scaling must be on, and the
    group must protect new instances from scale-in."""
    provider = call.get("autoScalingGroupProvider", {})
    if provider.get("managedTerminationProtection") != "ENABLED":
        return
    if (provider.get("managedScaling") or {}).get("status") != "ENABLED":
        message = (
            "To enable managed termination protection, enable managed scaling for the capacity provider."
        )
        raise refused("InvalidParameterException", message)
    group = group_of(call, provider["autoScalingGroupArn"])
    if not group.new_instances_protected_from_scale_in:
        message = (
            "The managed termination protection setting for the capacity provider is invalid. To "
            "enable managed "
            "termination protection for a capacity provider, the Auto Scaling group must have instance "
            "protection "
            "from scale in enabled."
        )
        raise refused("InvalidParameterException", message)


@after("ecs", "CreateCapacityProvider")
def managed_scaling_tags_its_group(call: Call, _: Any) -> None:
    """ECS guide, "Managed scaling": ECS adds the tag AmazonECSManaged to the Auto Scaling group."""
    provider = call.get("autoScalingGroupProvider", {})
    if (provider.get("managedScaling") or {}).get("status") != "ENABLED":
        return
    group = group_of(call, provider["autoScalingGroupArn"])
    if not any(tag["Key"] == "AmazonECSManaged" for tag in group.tags):
        group.tags = [*group.tags, {"Key": "AmazonECSManaged", "Value": "", "PropagateAtLaunch": True}]


@before("ecs", "DescribeCapacityProviders")
def providers_are_described_without_names(call: Call) -> dict[str, Any] | None:
    """ECS API DescribeCapacityProviders, capacityProviders: optional; without it all are described (moto:
    500)."""
    providers = call.backend("ecs").capacity_providers
    for provider in list(providers.values()):
        observed(provider)
    if call.parameters.get("capacityProviders"):
        return None
    return {"capacityProviders": _active(call), "failures": []}


@before("ecs", "PutClusterCapacityProviders")
def associated_providers_exist_and_used_ones_stay(call: Call) -> None:
    """ECS API PutClusterCapacityProviders: unknown names are refused, a provider in use cannot be removed
    (ResourceInUseException), one change at a time (UpdateInProgressException)."""
    cluster = cluster_of(call)
    if getattr(cluster, "attachments_status", None) == "UPDATE_IN_PROGRESS" and pending(cluster):
        message = (
            "The specified cluster is in a busy state. Cluster attachments are being updated. "
            "Try again later."
        )
        raise refused("UpdateInProgressException", message)
    wanted = [name.rsplit("/", 1)[-1] for name in call.get("capacityProviders", [])]
    for name in wanted:
        check_provider_exists(call, name)
    for item in call.get("defaultCapacityProviderStrategy", []):
        if item["capacityProvider"].rsplit("/", 1)[-1] not in wanted:
            message = (
                "The default capacity provider strategy can only name capacity providers of the cluster."
            )
            raise refused("InvalidParameterException", message)
    for name in set(cluster.capacity_providers or []) - set(wanted):
        if _in_use(call, cluster, name):
            message = "The specified capacity provider is in use and cannot be removed."
            raise refused("ResourceInUseException", message)


def _in_use(call: Call, cluster: Any, name: str) -> bool:
    for service in services_of(call, cluster):
        observed(service)
    strategies = [getattr(s, "capacity_provider_strategy", None) or [] for s in services_of(call, cluster)]
    return any(item["capacityProvider"].rsplit("/", 1)[-1] == name for items in strategies for item in items)


@after("ecs", "PutClusterCapacityProviders")
def attachments_are_updated_later(call: Call, _: Any) -> None:
    """ECS API Cluster, attachmentsStatus: UPDATE_IN_PROGRESS, then UPDATE_COMPLETE."""
    cluster = cluster_of(call)
    cluster.attachments_status = "UPDATE_IN_PROGRESS"
    later(cluster, lambda: setattr(cluster, "attachments_status", "UPDATE_COMPLETE"))


@before("ecs", "DeleteCapacityProvider")
def deleted_provider_is_unused_and_goes_later(call: Call) -> dict[str, Any]:
    """ECS API DeleteCapacityProvider: not while a cluster has it (ClientException); updateStatus
    DELETE_IN_PROGRESS, then the provider is INACTIVE; an unknown one is refused (moto: 500)."""
    name = call.get("capacityProvider", "").rsplit("/", 1)[-1]
    provider = call.backend("ecs").capacity_providers.get(name)
    if provider is None or provider.status != "ACTIVE":
        message = "The specified capacity provider does not exist. Specify a valid name or ARN and try again."
        raise refused("ClientException", message)
    for cluster in call.backend("ecs").clusters.values():
        observed(cluster)
        if cluster.status == "ACTIVE" and name in (cluster.capacity_providers or []):
            message = "The specified capacity provider is in use and cannot be removed."
            raise refused("ClientException", message)
    if provider.update_status != "DELETE_IN_PROGRESS":
        provider.update_status = "DELETE_IN_PROGRESS"
        later(provider, lambda: _deleted(provider))
    return {"capacityProvider": provider}


def _deleted(provider: Any) -> None:
    provider.status, provider.update_status = "INACTIVE", "DELETE_COMPLETE"
