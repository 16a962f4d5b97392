"""ECS services and clusters: what AWS refuses."""

from __future__ import annotations

from typing import Any

from strict_cases.case import Case
from strict_world import Account

INVALID = "InvalidParameterException"
CLIENT = "ClientException"


def strategy(*names: str) -> list[dict[str, Any]]:
    return [{"capacityProvider": name, "weight": 1} for name in names]


def balanced(group: str, **more: Any) -> dict[str, Any]:
    return {
        "loadBalancers": [{"targetGroupArn": group, "containerName": "worker", "containerPort": 8080, **more}]
    }


def used_provider(a: Account) -> None:
    a.cluster(providers=(a.provider(),))
    a.definition()
    a.service(capacityProviderStrategy=strategy("reef"))


def draining_service(a: Account) -> None:
    a.stocked()
    a.service()
    a.ecs.delete_service(cluster="fish", service="fish")


def gone_service(a: Account) -> None:
    draining_service(a)
    for _ in range(3):
        a.described_service()


SERVICES = [
    Case("service_name_is_valid", INVALID, lambda a: a.service(serviceName="a b"), Account.stocked),
    Case("service_is_created_once", INVALID, lambda a: a.service(), lambda a: a.stocked() and a.service()),
    Case("service_is_created_once", INVALID, lambda a: a.service(), draining_service),
    Case("service_is_created_once", INVALID, lambda a: a.service(clientToken="x" * 37), Account.stocked),
    Case(
        "service_fits_its_task_definition",
        CLIENT,
        lambda a: a.service(taskDefinition=a.arn),
        lambda a: (
            a.__dict__.update(arn=a.stocked()) or a.ecs.deregister_task_definition(taskDefinition=a.arn)
        ),
    ),
    Case(
        "service_fits_its_task_definition",
        INVALID,
        lambda a: a.service(),
        lambda a: a.cluster() and a.definition({"portMappings": []}, networkMode="awsvpc"),
    ),
    Case(
        "service_has_one_source_of_capacity",
        INVALID,
        lambda a: a.service(launchType="EC2", capacityProviderStrategy=strategy("reef")),
        lambda a: a.definition() and a.cluster(providers=(a.provider(),)),
    ),
    Case(
        "service_has_one_source_of_capacity",
        INVALID,
        lambda a: a.service(capacityProviderStrategy=strategy("reef")),
        lambda a: a.stocked() and a.provider(),
    ),
    Case(
        "service_load_balancer_is_attached",
        INVALID,
        lambda a: a.service(**balanced(a.group())),
        Account.stocked,
    ),
    Case(
        "service_load_balancer_is_attached",
        INVALID,
        lambda a: a.service(**balanced("arn:none")),
        Account.stocked,
    ),
    Case(
        "service_load_balancer_is_attached",
        INVALID,
        lambda a: a.service(**balanced(a.attached(), containerName="other")),
        Account.stocked,
    ),
    Case(
        "service_load_balancer_is_attached",
        INVALID,
        lambda a: a.service(**balanced(a.attached(), containerPort=81)),
        Account.stocked,
    ),
    Case(
        "service_load_balancer_is_attached",
        INVALID,
        lambda a: a.service(**balanced(a.attached(TargetType="ip"))),
        Account.stocked,
    ),
    Case(
        "grace_period_needs_a_load_balancer",
        INVALID,
        lambda a: a.service(healthCheckGracePeriodSeconds=9),
        Account.stocked,
    ),
    Case(
        "grace_period_needs_a_load_balancer",
        INVALID,
        lambda a: a.ecs.update_service(cluster="fish", service="fish", healthCheckGracePeriodSeconds=9),
        lambda a: a.stocked() and a.service(),
    ),
    Case(
        "only_active_services_are_updated",
        "ServiceNotActiveException",
        lambda a: a.ecs.update_service(cluster="fish", service="fish", desiredCount=1),
        draining_service,
    ),
    Case(
        "deleted_service_drains_first",
        "ServiceNotFoundException",
        lambda a: a.ecs.delete_service(cluster="fish", service="fish"),
        gone_service,
    ),
    Case(
        "deleted_service_drains_first",
        INVALID,
        lambda a: a.ecs.delete_service(cluster="fish", service="fish"),
        lambda a: a.stocked() and a.service(desiredCount=1),
        stock_agrees=True,
    ),
]

CLUSTERS = [
    Case(
        "deleted_cluster_is_empty",
        "ClusterContainsServicesException",
        lambda a: a.ecs.delete_cluster(cluster="fish"),
        lambda a: a.stocked() and a.service(),
    ),
    Case(
        "deleted_cluster_is_empty",
        "ClusterContainsServicesException",
        lambda a: a.ecs.delete_cluster(cluster="fish"),
        draining_service,
    ),
    Case(
        "deleted_cluster_is_empty",
        "ClusterContainsCapacityProviderException",
        lambda a: a.ecs.delete_cluster(cluster="fish"),
        lambda a: a.cluster(providers=(a.provider(),)),
    ),
    Case(
        "deleted_cluster_is_empty",
        "UpdateInProgressException",
        lambda a: a.ecs.delete_cluster(cluster="fish"),
        lambda a: a.cluster() and a.associate([]),
    ),
    Case(
        "cluster_is_created_once",
        INVALID,
        lambda a: a.ecs.create_cluster(clusterName="fish", capacityProviders=["none"]),
    ),
    Case("provider_name_is_free_and_valid", INVALID, lambda a: a.provider("ecs-reef")),
    Case(
        "provider_name_is_free_and_valid",
        CLIENT,
        lambda a: a.provider(group=a.scaling_group("two")),
        lambda a: a.provider(),
    ),
    Case("provider_has_a_group_of_its_own", CLIENT, lambda a: a.provider(group="arn:none")),
    Case(
        "provider_has_a_group_of_its_own",
        CLIENT,
        lambda a: a.provider("two", a.arn),
        lambda a: a.__dict__.update(arn=a.scaling_group()) or a.provider("one", a.arn),
    ),
    Case(
        "managed_scaling_is_in_range",
        INVALID,
        lambda a: a.provider(managedScaling={"status": "ENABLED", "targetCapacity": 101}),
    ),
    Case(
        "termination_protection_needs_protected_instances",
        INVALID,
        lambda a: a.provider(group=a.scaling_group(NewInstancesProtectedFromScaleIn=False)),
    ),
    Case(
        "termination_protection_needs_protected_instances",
        INVALID,
        lambda a: a.provider(managedScaling={"status": "DISABLED"}),
    ),
    Case(
        "associated_providers_exist_and_used_ones_stay",
        INVALID,
        lambda a: a.associate(["none"]),
        lambda a: a.cluster(),
    ),
    Case(
        "associated_providers_exist_and_used_ones_stay",
        "ResourceInUseException",
        lambda a: a.associate([]),
        used_provider,
    ),
    Case(
        "associated_providers_exist_and_used_ones_stay",
        "UpdateInProgressException",
        lambda a: a.associate([]),
        lambda a: a.cluster() and a.associate([]),
    ),
    Case(
        "deleted_provider_is_unused_and_goes_later",
        CLIENT,
        lambda a: a.ecs.delete_capacity_provider(capacityProvider="reef"),
        used_provider,
    ),
    Case(
        "deleted_provider_is_unused_and_goes_later",
        CLIENT,
        lambda a: a.ecs.delete_capacity_provider(capacityProvider="none"),
    ),
]
