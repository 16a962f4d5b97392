"""The ECS service that keeps the workers running."""

from __future__ import annotations

import hashlib
from typing import Any

from shoal.aws import client, code_of, domain_errors
from shoal.contracts.deployment import DeploymentSpec
from shoal.resources.cluster import Cluster
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
from shoal.resources.worker_container import CONTAINER, PORT
from shoal.settings import settings

GRACE_SECONDS = 300
"""Image pull, model load and CUDA warm-up happen before the first healthy answer."""

_GONE_CODES = frozenset({"ServiceNotFoundException", "ServiceNotActiveException", "ClusterNotFoundException"})


class Service:
    kind = "service"
    order = 110
    blocked_by = ()

    def applies(self, spec: DeploymentSpec) -> bool:  # noqa: ARG002
        return True

    def name(self, scope: Scope) -> str:
        return scope.name()

    def make(self, context: Context) -> Made:
        return make_or_adopt(self, context, lambda: self._create(context))

    def observe(self, scope: Scope) -> Found | None:
        service = describe_service(Cluster().name(scope), self.name(scope))
        if service is None or service["status"] == "INACTIVE":
            return None
        return Found(service["serviceArn"], plain_tags(service.get("tags", [])))

    def unmake(self, entry: Entry, scope: Scope) -> Answer:
        """ACTIVE, DRAINING, INACTIVE: gone only when the last task has stopped."""
        from botocore.exceptions import ClientError

        status = "INACTIVE"
        cluster = Cluster().name(scope)
        with domain_errors(f"delete service {entry.name}"):
            try:
                answer = client("ecs").delete_service(cluster=cluster, service=entry.name, force=True)
                status = answer["service"]["status"]
            except ClientError as error:
                if code_of(error) not in _GONE_CODES:
                    raise
        left = describe_service(cluster, self.name(scope)) or {"status": "INACTIVE", "runningCount": 0}
        if status != "INACTIVE" or left["status"] != "INACTIVE":
            return waiting(f"its tasks are stopping, {left['runningCount']} still run")
        return GONE

    def adjust(self, context: Context) -> None:
        """A rolling deployment where the task definition is another one; the count only rises by it."""
        name, cluster, least = self.name(context), Cluster().name(context), least_workers(context.spec)
        service = describe_service(cluster, name)
        short = service is None or service["desiredCount"] < least
        with domain_errors(f"update service {name}"):
            client("ecs").update_service(
                cluster=cluster,
                service=name,
                taskDefinition=context.arn("task_definition"),
                **_deployment(context.spec),
                **({"desiredCount": least} if short else {}),
            )

    def halt(self, scope: Scope) -> int:
        """No task is started any more, those that work finish their video; answers the tasks left."""
        name, cluster = self.name(scope), Cluster().name(scope)
        with domain_errors(f"send service {name} to nothing"):
            client("ecs").update_service(cluster=cluster, service=name, desiredCount=0)
        service = describe_service(cluster, name) or {}
        return int(service.get("runningCount", 0)) + int(service.get("pendingCount", 0))

    def _create(self, context: Context) -> Made:
        answer = client("ecs").create_service(
            cluster=context.arn("cluster"),
            serviceName=self.name(context),
            taskDefinition=context.arn("task_definition"),
            clientToken=_token(context),
            desiredCount=least_workers(context.spec),
            schedulingStrategy="REPLICA",
            availabilityZoneRebalancing="DISABLED",  # it would stop a worker in the middle of a video
            enableECSManagedTags=True,
            propagateTags="SERVICE",
            tags=lower_tags(context.tags()),
            **_deployment(context.spec),
            **_capacity(context),
            **_endpoint(context),
        )
        return Made(answer["service"]["serviceArn"])


def least_workers(spec: DeploymentSpec) -> int:
    """The count without any video: an endpoint always has a worker."""
    return 1 if spec.has_endpoint else 0


def describe_service(cluster: str, name: str) -> dict[str, Any] | None:
    """The service with its tags, events and deployments; an unknown one is among the ``failures``."""
    services: list[dict[str, Any]] = []
    with domain_errors(f"describe service {name}", absent=frozenset({"ClusterNotFoundException"})):
        answer = client("ecs").describe_services(cluster=cluster, services=[name], include=["TAGS"])
        services = answer["services"]
    return services[0] if services else None


def _token(context: Context) -> str:
    """At most 36 characters; the same for a retry of the same step, another for every other attempt."""
    text = f"{context.name()}/{context.revision}/{context.generation}"
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _deployment(spec: DeploymentSpec) -> dict[str, Any]:
    """An endpoint starts the new worker first; a queue worker is stopped first, its GPU has no spare.

    No rollback by ECS: a first deployment has nothing to go back to, and ours removes everything.
    """
    healthy, most = (100, 200) if spec.has_endpoint else (0, 100)
    breaker = {"enable": True, "rollback": False}
    return {
        "deploymentConfiguration": {
            "deploymentCircuitBreaker": breaker,
            "minimumHealthyPercent": healthy,
            "maximumPercent": most,
        }
    }


def _capacity(context: Context) -> dict[str, Any]:
    if context.spec.compute == "ec2-gpu":
        provider = context.made["capacity_provider"].name
        return {"capacityProviderStrategy": [{"capacityProvider": provider, "weight": 1, "base": 0}]}
    network = {
        "subnets": settings().subnets(),
        "securityGroups": [settings().need("instance_security_group")],
        # in a public subnet without NAT a Fargate task has no other way to its image
        "assignPublicIp": "ENABLED",
    }
    return {"launchType": "FARGATE", "networkConfiguration": {"awsvpcConfiguration": network}}


def _endpoint(context: Context) -> dict[str, Any]:
    if not context.spec.has_endpoint:
        return {}
    target = {
        "targetGroupArn": context.arn("target_group"),
        "containerName": CONTAINER,
        "containerPort": PORT,
    }
    return {"loadBalancers": [target], "healthCheckGracePeriodSeconds": GRACE_SECONDS}
