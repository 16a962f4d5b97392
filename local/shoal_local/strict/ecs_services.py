"""ECS services: what CreateService, UpdateService and DeleteService refuse, and the states between."""

from __future__ import annotations

import re
import uuid
from typing import Any

from shoal_local.strict.engine import Call, after, before, refused
from shoal_local.strict.service_checks import (
    check_capacity,
    check_definition,
    check_load_balancers,
    check_network,
    cluster_of,
    definition_of,
)
from shoal_local.strict.slow import later, observed

_NAME = re.compile(r"[A-Za-z0-9_-]{1,255}")


def service_of(call: Call, name: str | None) -> Any:
    """moto's service, or None."""
    cluster = cluster_of(call)
    return call.backend("ecs").services.get(f"{cluster.name}:{str(name).rsplit('/', 1)[-1]}")


@before("ecs", "CreateService")
def service_name_is_valid(call: Call) -> None:
    """ECS API CreateService, serviceName: up to 255 letters, numbers, underscores and hyphens."""
    if not _NAME.fullmatch(call.get("serviceName", "")):
        raise refused("InvalidParameterException", "Service name must match [A-Za-z0-9_-]{1,255}.")


@before("ecs", "CreateService")
def service_is_created_once(call: Call) -> dict[str, Any] | None:
    """ECS API CreateService, clientToken: up to 36 ASCII characters; without one an ACTIVE name is
    refused, and a DRAINING one too (terraform-provider-aws issue 2283)."""
    token = call.get("clientToken")
    if token and len(token) > 36:
        raise refused("InvalidParameterException", "clientToken can have up to 36 characters.")
    existing = service_of(call, call.get("serviceName"))
    if existing is None or existing.status == "INACTIVE":
        return None
    if token and getattr(existing, "client_token", None) == token:
        return {"service": existing}
    if existing.status == "DRAINING":
        raise refused("InvalidParameterException", "Unable to Start a service that is still Draining.")
    raise refused("InvalidParameterException", "Creation of service was not idempotent.")


@before("ecs", "CreateService")
def service_fits_its_task_definition(call: Call) -> None:
    """ECS API CreateService, taskDefinition and networkConfiguration: ACTIVE, and awsvpc needs a network."""
    definition = check_definition(call)
    check_network(call, definition)


@before("ecs", "CreateService")
def service_has_one_source_of_capacity(call: Call) -> None:
    """ECS API CreateService: "If a capacityProviderStrategy is specified, the launchType parameter must be
    omitted"; only capacity providers already associated with the cluster."""
    check_capacity(call)


@before("ecs", "CreateService")
def service_load_balancer_is_attached(call: Call) -> None:
    """ECS API LoadBalancer (containerName, containerPort, targetGroupArn); the target group must have a
    load balancer (hashicorp/terraform issue 32908) and the target type its network mode asks for."""
    check_load_balancers(call, definition_of(call, call.get("taskDefinition")))


@before("ecs", "CreateService", "UpdateService")
def grace_period_needs_a_load_balancer(call: Call) -> None:
    """ECS API CreateService, healthCheckGracePeriodSeconds: only for services that use a load balancer; 0
    to 2^31-1."""
    grace = call.get("healthCheckGracePeriodSeconds")
    balanced = call.get("loadBalancers") or getattr(
        service_of(call, call.get("service")), "load_balancers", None
    )
    if grace and not balanced:
        message = "Health check grace period is only valid for services configured to use load balancers"
        raise refused("InvalidParameterException", message)


@before("ecs", "UpdateService")
def only_active_services_are_updated(call: Call) -> None:
    """ECS API UpdateService: ServiceNotFoundException, ServiceNotActiveException; a new task definition is
    ACTIVE."""
    service = service_of(call, call.get("service"))
    if service is None:
        raise refused("ServiceNotFoundException", "Service not found.")
    if service.status != "ACTIVE":
        raise refused("ServiceNotActiveException", "Service was not ACTIVE.")
    if call.get("taskDefinition"):
        check_definition(call)
    if call.get("capacityProviderStrategy"):
        check_capacity(call)


@before("ecs", "UpdateService")
def update_starts_a_deployment_not_tasks(call: Call) -> dict[str, Any]:
    """ECS API UpdateService and Deployment: a new task definition or forceNewDeployment makes a new
    PRIMARY deployment, the old one stays ACTIVE until it is drained; desiredCount alone does not. Tasks
    follow later (moto: at once)."""
    service = service_of(call, call.get("service"))
    count = call.get("desiredCount")
    if count is not None:
        service.desired_count = int(count)
        service.deployments[0]["desiredCount"] = int(count)
    for name, attribute in KEPT.items():
        if call.get(name) is not None:
            setattr(service, attribute, call.get(name))
    definition = call.get("taskDefinition")
    arn = definition_of(call, definition).arn if definition else service.task_definition
    if arn != service.task_definition or call.get("forceNewDeployment"):
        service.task_definition = arn
        _new_deployment(service)
    return {"service": service}


def _new_deployment(service: Any) -> None:
    from moto.core.utils import utcnow

    for old in service.deployments:
        old["status"] = "ACTIVE"
    identity, now = f"ecs-svc/{uuid.uuid4().int % 10**19}", utcnow()
    fresh = dict(service.deployments[0]) if service.deployments else {}
    fresh.update(
        id=identity, status="PRIMARY", taskDefinition=service.task_definition,
        desiredCount=service.desired_count, runningCount=0, pendingCount=0, failedTasks=0,
        createdAt=now, updatedAt=now, rolloutState="IN_PROGRESS",
        rolloutStateReason=f"ECS deployment {identity} in progress.",
    )  # fmt: skip
    service.deployments.insert(0, fresh)


KEPT = {
    "capacityProviderStrategy": "capacity_provider_strategy",
    "deploymentConfiguration": "deployment_configuration",
    "healthCheckGracePeriodSeconds": "health_check_grace_period_seconds",
    "placementStrategy": "placement_strategy",
    "placementConstraints": "placement_constraints",
    "enableECSManagedTags": "enable_ecs_managed_tags",
    "enableExecuteCommand": "enable_execute_command",
    "availabilityZoneRebalancing": "availability_zone_rebalancing",
    "networkConfiguration": "network_configuration",
}
"""Parameters of CreateService that moto drops, and what they are called on its service."""


@after("ecs", "CreateService")
def service_keeps_what_it_was_given(call: Call, _: Any) -> None:
    """ECS API Service: capacityProviderStrategy, deploymentConfiguration and the like come back; a service
    with a strategy has no launchType; nothing is pending before the scheduler has looked."""
    from moto.core.utils import utcnow

    service = service_of(call, call.get("serviceName"))
    for name, attribute in KEPT.items():
        setattr(service, attribute, call.get(name))
    service.created_at, service.client_token = utcnow(), call.get("clientToken")
    strategy = call.get("capacityProviderStrategy") or _default_strategy(call)
    service.capacity_provider_strategy = strategy
    if strategy:
        service.launch_type = None
    service.pending_count = 0
    for deployment in service.deployments:
        deployment.update(pendingCount=0, launchType=service.launch_type, capacityProviderStrategy=strategy)


def _default_strategy(call: Call) -> Any:
    return None if call.get("launchType") else cluster_of(call).default_capacity_provider_strategy


@before("ecs", "DeleteService")
def deleted_service_drains_first(call: Call) -> dict[str, Any] | None:
    """ECS API DeleteService: ACTIVE -> DRAINING while tasks stop -> INACTIVE; without force the count must
    be 0; an INACTIVE service is not found."""
    service = service_of(call, call.get("service"))
    if service is None or service.status == "INACTIVE":
        raise refused("ServiceNotFoundException", "Service not found.")
    if service.status == "DRAINING":
        return {"service": service}
    if service.desired_count > 0 and not call.get("force"):
        raise refused(
            "InvalidParameterException", "The service cannot be stopped while it is scaled above 0."
        )
    service.status, service.desired_count = "DRAINING", 0
    later(service, lambda: setattr(service, "status", "INACTIVE"))
    return {"service": service}


@before("ecs", "DescribeServices")
def describe_shows_the_passing_state(call: Call) -> None:
    """ECS API DeleteService: DRAINING services stay visible in DescribeServices until they are INACTIVE."""
    cluster = cluster_of(call)
    for name in call.get("services", []):
        service = call.backend("ecs").services.get(f"{cluster.name}:{name.rsplit('/', 1)[-1]}")
        if service is not None:
            observed(service)


@before("ecs", "ListServices")
def inactive_services_are_not_listed(call: Call) -> dict[str, Any]:
    """ECS API ListServices with DeleteService: "you can no longer view deleted services in the console or
    with ListServices" once they are INACTIVE; DRAINING ones are still listed."""
    cluster, backend = cluster_of(call), call.backend("ecs")
    names = {"launchType": "launch_type", "schedulingStrategy": "scheduling_strategy"}
    wanted = {attribute: call.get(name) for name, attribute in names.items() if call.get(name)}
    services = [s for s in list(backend.services.values()) if s.cluster_name == cluster.name]
    for service in services:
        observed(service)
    listed = [
        s for s in services if s.status != "INACTIVE" and all(getattr(s, k) == v for k, v in wanted.items())
    ]
    return {"serviceArns": sorted(s.arn for s in listed)}
