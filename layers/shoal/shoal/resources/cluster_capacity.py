"""The association of the capacity provider with its cluster (ECS, PutClusterCapacityProviders)."""

from __future__ import annotations

from shoal.aws import client, code_of, domain_errors
from shoal.contracts.deployment import DeploymentSpec
from shoal.resources.cluster import Cluster, describe_cluster
from shoal.resources.kind import GONE, Answer, Context, Entry, Found, Made, Scope, plain_tags, waiting

_ABSENT = frozenset({"ClusterNotFoundException"})
_BUSY = frozenset({"ResourceInUseException", "UpdateInProgressException"})


class ClusterCapacity:
    """Putting the same providers twice changes nothing; putting none detaches them."""

    kind = "cluster_capacity"
    order = 105
    blocked_by = ("service",)

    def applies(self, spec: DeploymentSpec) -> bool:
        return spec.compute == "ec2-gpu"

    def name(self, scope: Scope) -> str:
        return Cluster().name(scope)

    def make(self, context: Context) -> Made:
        provider = context.made["capacity_provider"].name
        with domain_errors(f"attach capacity provider {provider}"):
            client("ecs").put_cluster_capacity_providers(
                cluster=context.arn("cluster"),
                capacityProviders=[provider],
                defaultCapacityProviderStrategy=[{"capacityProvider": provider, "weight": 1}],
            )
        return Made(context.arn("cluster"))

    def observe(self, scope: Scope) -> Found | None:
        cluster = describe_cluster(self.name(scope))
        if cluster is None or cluster["status"] == "INACTIVE" or not cluster.get("capacityProviders"):
            return None
        return Found(cluster["clusterArn"], plain_tags(cluster.get("tags", [])))

    def unmake(self, entry: Entry, scope: Scope) -> Answer:
        """Looks first: putting "none" again would start another update. A stale look is harmless here, since
        neither the provider nor the cluster can be deleted while they are attached to each other.
        """
        cluster = describe_cluster(self.name(scope))
        if cluster is None or cluster["status"] == "INACTIVE":
            return GONE
        if cluster.get("attachmentsStatus") == "UPDATE_IN_PROGRESS":
            return waiting("the cluster's capacity is being updated")
        if not cluster.get("capacityProviders"):
            return GONE
        return _detach(entry)


def _detach(entry: Entry) -> Answer:
    from botocore.exceptions import ClientError

    with domain_errors(f"detach the capacity provider of {entry.name}", absent=_ABSENT):
        try:
            client("ecs").put_cluster_capacity_providers(
                cluster=entry.arn, capacityProviders=[], defaultCapacityProviderStrategy=[]
            )
        except ClientError as error:
            if code_of(error) not in _BUSY:
                raise
            return waiting("the service still uses the capacity provider")
    return waiting("the capacity provider is being detached")
