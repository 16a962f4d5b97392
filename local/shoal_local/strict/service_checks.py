"""The checks CreateService and UpdateService share."""

from __future__ import annotations

from typing import Any

from shoal_local.strict.engine import Call, refused

_INVALID = "InvalidParameterException"


def cluster_of(call: Call, name: str | None = None) -> Any:
    """The ACTIVE cluster a call is about (ECS API: else ClusterNotFoundException)."""
    short = str(name or call.get("cluster", "default")).rsplit("/", 1)[-1]
    cluster = call.backend("ecs").clusters.get(short)
    if cluster is None or cluster.status == "INACTIVE":
        raise refused("ClusterNotFoundException", "Cluster not found.")
    return cluster


def definition_of(call: Call, reference: str | None) -> Any:
    """moto's task definition by ARN, ``family:revision`` or family; ClientException when there is none."""
    if not reference:
        raise refused(_INVALID, "taskDefinition must be given.")
    return call.backend("ecs").describe_task_definition(reference)


def check_definition(call: Call) -> Any:
    """The task definition a service names must be ACTIVE."""
    definition = definition_of(call, call.get("taskDefinition"))
    if definition.status != "ACTIVE":
        raise refused("ClientException", "TaskDefinition is inactive")
    return definition


def check_network(call: Call, definition: Any) -> None:
    """awsvpc needs subnets; Fargate needs awsvpc and a definition made for Fargate."""
    network = call.get("networkConfiguration")
    if definition.network_mode == "awsvpc" and not network:
        message = "Network Configuration must be provided when networkMode 'awsvpc' is specified."
        raise refused(_INVALID, message)
    if definition.network_mode != "awsvpc" and network:
        raise refused(
            _INVALID, "Network Configuration is not valid for the given networkMode of this task definition."
        )
    fargate = "FARGATE" in (definition.requires_compatibilities or [])
    if call.get("launchType") == "FARGATE" and not fargate:
        message = "Task definition does not support launch_type FARGATE."
        raise refused(_INVALID, message)


def check_capacity(call: Call) -> None:
    """launchType xor capacityProviderStrategy; every provider associated, at least one weight above 0, one
    base."""
    strategy = call.get("capacityProviderStrategy") or []
    if call.get("launchType") and strategy:
        message = (
            "Specifying both a launch type and capacity provider strategy is not supported. "
            "Remove one and try again."
        )
        raise refused(_INVALID, message)
    associated = cluster_of(call).capacity_providers or []
    for item in strategy:
        if item["capacityProvider"].rsplit("/", 1)[-1] not in associated:
            message = (
                "The specified capacity provider strategy cannot contain a capacity provider that is not "
                "associated with the cluster. Associate the capacity provider with the cluster and try again."
            )
            raise refused(_INVALID, message)
    if len([item for item in strategy if item.get("base")]) > 1:
        raise refused(
            _INVALID, "The specified capacity provider strategy can have a base on one provider only."
        )
    if len(strategy) > 1 and not any(item.get("weight") for item in strategy):
        raise refused(_INVALID, "At least one capacity provider must have a weight greater than zero.")


def check_load_balancers(call: Call, definition: Any) -> None:
    """Container, port, target group, its load balancer and its target type."""
    if len(call.get("loadBalancers", [])) > 5:
        raise refused(_INVALID, "load balancers can have at most 5 items.")
    for balanced in call.get("loadBalancers", []):
        _check_container(balanced, definition)
        _check_group(call, balanced, definition)


def _check_container(balanced: dict[str, Any], definition: Any) -> None:
    name, port = balanced.get("containerName"), balanced.get("containerPort")
    container = next((c for c in definition.container_definitions if c["name"] == name), None)
    if container is None:
        raise refused(_INVALID, f"The container {name} does not exist in the task definition.")
    if port not in [mapping.get("containerPort") for mapping in container.get("portMappings", [])]:
        raise refused(_INVALID, f"The container {name} did not have a container port {port} defined.")


def _check_group(call: Call, balanced: dict[str, Any], definition: Any) -> None:
    arn = balanced.get("targetGroupArn")
    group = call.backend("elbv2").target_groups.get(arn)
    if group is None:
        message = (
            f"Unable to assume role and validate the specified targetGroupArn {arn}: no such target group."
        )
        raise refused(_INVALID, message)
    if not group.load_balancer_arns:
        message = f"The target group with targetGroupArn {arn} does not have an associated load balancer."
        raise refused(_INVALID, message)
    wanted = "ip" if definition.network_mode == "awsvpc" else "instance"
    if group.target_type != wanted:
        message = (
            f"The provided target group {arn} has target type {group.target_type}, which is "
            "incompatible with the "
            f"{definition.network_mode} network mode specified in the task definition."
        )
        raise refused(_INVALID, message)
