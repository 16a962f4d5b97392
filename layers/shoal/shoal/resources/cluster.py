"""The ECS cluster of a deployment."""

from __future__ import annotations

from typing import Any

from shoal.aws import client, code_of, domain_errors
from shoal.contracts.deployment import DeploymentSpec
from shoal.resources.kind import (
    GONE,
    Answer,
    Context,
    Entry,
    Found,
    Made,
    Scope,
    lower_tags,
    make_or_adopt,
    plain_tags,
    waiting,
)
from shoal.resources.log_group import delete_log_group

_ABSENT = frozenset({"ClusterNotFoundException"})
_OCCUPIED = {
    "ClusterContainsServicesException": "it still has services",
    "ClusterContainsTasksException": "its tasks are still stopping",
    "ClusterContainsContainerInstancesException": "its instances are still terminating",
    "ClusterContainsCapacityProviderException": "its capacity provider is still attached",
    "UpdateInProgressException": "it is being updated",
}


class Cluster:
    kind = "cluster"
    order = 60
    blocked_by = ("service", "cluster_capacity", "capacity_provider", "auto_scaling_group")

    def applies(self, spec: DeploymentSpec) -> bool:  # noqa: ARG002
        return True

    def name(self, scope: Scope) -> str:
        return scope.name()

    def make(self, context: Context) -> Made:
        return make_or_adopt(self, context, lambda: self._create(context))

    def observe(self, scope: Scope) -> Found | None:
        cluster = describe_cluster(self.name(scope))
        # a deleted cluster stays visible as INACTIVE, and CreateCluster revives it
        if cluster is None or cluster["status"] == "INACTIVE":
            return None
        return Found(cluster["clusterArn"], plain_tags(cluster.get("tags", [])))

    def unmake(self, entry: Entry, scope: Scope) -> Answer:  # noqa: ARG002
        from botocore.exceptions import ClientError

        status = "INACTIVE"
        with domain_errors(f"delete cluster {entry.name}", absent=_ABSENT):
            try:
                status = client("ecs").delete_cluster(cluster=entry.arn)["cluster"]["status"]
            except ClientError as error:
                if code_of(error) in _OCCUPIED:
                    return waiting(_OCCUPIED[code_of(error)])
                raise
        if status != "INACTIVE":
            return waiting(f"it is {status}")
        # Container Insights makes this group by itself and leaves it behind
        delete_log_group(f"/aws/ecs/containerinsights/{entry.name}/performance")
        return GONE

    def _create(self, context: Context) -> Made:
        answer = client("ecs").create_cluster(
            clusterName=self.name(context),
            settings=[{"name": "containerInsights", "value": "enabled"}],
            tags=lower_tags(context.tags()),
        )
        return Made(answer["cluster"]["clusterArn"])


def describe_cluster(name: str) -> dict[str, Any] | None:
    """The cluster with its tags and attachments; an unknown name is among the ``failures`` of the answer."""
    with domain_errors(f"describe cluster {name}"):
        clusters = client("ecs").describe_clusters(clusters=[name], include=["TAGS", "ATTACHMENTS"])[
            "clusters"
        ]
        return dict(clusters[0]) if clusters else None
