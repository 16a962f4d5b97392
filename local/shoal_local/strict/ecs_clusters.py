"""ECS clusters: made once, and not deleted while anything is in them."""

from __future__ import annotations

from typing import Any

from shoal_local.strict.engine import Call, before, refused
from shoal_local.strict.service_checks import cluster_of
from shoal_local.strict.slow import observed


def services_of(call: Call, cluster: Any) -> list[Any]:
    """The services of a cluster that are not INACTIVE."""
    services = call.backend("ecs").services.values()
    return [s for s in services if s.cluster_name == cluster.name and s.status != "INACTIVE"]


def tasks_of(call: Call, cluster: Any) -> list[Any]:
    tasks = call.backend("ecs").tasks.get(cluster.name, {}).values()
    return [task for task in tasks if task.last_status != "STOPPED"]


@before("ecs", "CreateCluster")
def cluster_is_created_once(call: Call) -> dict[str, Any] | None:
    """ECS API CreateCluster: an ACTIVE cluster of that name is answered as it is (moto replaces it and
    forgets its capacity providers); the providers it names must exist."""
    existing = call.backend("ecs").clusters.get(call.get("clusterName", "default"))
    if existing is not None and existing.status == "ACTIVE":
        return {"cluster": existing}
    for name in call.get("capacityProviders", []):
        check_provider_exists(call, name)
    return None


def check_provider_exists(call: Call, name: str) -> None:
    """FARGATE, FARGATE_SPOT, or an ACTIVE capacity provider of this account."""
    if name in ("FARGATE", "FARGATE_SPOT"):
        return
    provider = call.backend("ecs").capacity_providers.get(name.rsplit("/", 1)[-1])
    if provider is None or provider.status != "ACTIVE":
        message = (
            f"The specified capacity provider '{name}' was not found. Specify a valid name or ARN "
            "and try again."
        )
        raise refused("InvalidParameterException", message)


@before("ecs", "DeleteCluster")
def deleted_cluster_is_empty(call: Call) -> None:
    """ECS API DeleteCluster: ClusterContainsServicesException, ClusterContainsTasksException,
    ClusterContainsContainerInstancesException, ClusterContainsCapacityProviderException,
    UpdateInProgressException."""
    cluster = cluster_of(call)
    for service in services_of(call, cluster):
        observed(service)
    if services_of(call, cluster):
        raise refused(
            "ClusterContainsServicesException", "The Cluster cannot be deleted while Services are active."
        )
    if tasks_of(call, cluster):
        raise refused(
            "ClusterContainsTasksException", "The Cluster cannot be deleted while Tasks are active."
        )
    if call.backend("ecs").container_instances.get(cluster.name):
        message = "The Cluster cannot be deleted while Container Instances are active or draining."
        raise refused("ClusterContainsContainerInstancesException", message)
    if getattr(cluster, "attachments_status", None) == "UPDATE_IN_PROGRESS":
        message = (
            "The specified cluster is in a busy state. Cluster attachments are being updated. "
            "Try again later."
        )
        raise refused("UpdateInProgressException", message)
    own = [name for name in cluster.capacity_providers or [] if not name.startswith("FARGATE")]
    if own:
        message = f"The Cluster cannot be deleted while Capacity Providers are associated: {', '.join(own)}."
        raise refused("ClusterContainsCapacityProviderException", message)


@before("ecs", "DescribeClusters")
def cluster_counts_are_counted(call: Call) -> None:
    """ECS API Cluster: activeServicesCount, runningTasksCount, pendingTasksCount,
    registeredContainerInstancesCount."""
    backend = call.backend("ecs")
    for cluster in list(backend.clusters.values()):
        observed(cluster)
        tasks = tasks_of(call, cluster)
        cluster.active_services_count = len([s for s in services_of(call, cluster) if s.status == "ACTIVE"])
        cluster.running_tasks_count = len([task for task in tasks if task.last_status == "RUNNING"])
        cluster.pending_tasks_count = len(tasks) - cluster.running_tasks_count
        cluster.registered_container_instances_count = len(backend.container_instances.get(cluster.name, {}))


@before("ecs", "ListClusters")
def inactive_clusters_are_not_listed(call: Call) -> dict[str, Any]:
    """ECS API DeleteCluster: an INACTIVE cluster stays discoverable by DescribeClusters only."""
    clusters = call.backend("ecs").clusters.values()
    return {"clusterArns": [cluster.arn for cluster in clusters if cluster.status == "ACTIVE"]}
