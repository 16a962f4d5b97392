"""The capacity provider: ECS managed scaling drives the Auto Scaling group."""

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

WARM_UP_SECONDS = 120
"""About the boot of the GPU AMI; the default of 300 s delays every second scale-out step."""

_REFUSED = frozenset({"ClientException", "InvalidParameterException"})
_BUSY = frozenset({"UpdateInProgressException", "ResourceInUseException"})


class CapacityProvider:
    kind = "capacity_provider"
    order = 100
    blocked_by = ("service", "cluster_capacity")

    def applies(self, spec: DeploymentSpec) -> bool:
        return spec.compute == "ec2-gpu"

    def name(self, scope: Scope) -> str:
        return scope.name()

    def make(self, context: Context) -> Made:
        return make_or_adopt(self, context, lambda: self._create(context))

    def observe(self, scope: Scope) -> Found | None:
        provider = _described(self.name(scope))
        # a deleted provider stays visible as INACTIVE, and its name may be taken again
        if provider is None or provider["status"] == "INACTIVE":
            return None
        return Found(provider["capacityProviderArn"], plain_tags(provider.get("tags", [])))

    def unmake(self, entry: Entry, scope: Scope) -> Answer:
        from botocore.exceptions import ClientError

        with domain_errors(f"delete capacity provider {entry.name}"):
            try:
                client("ecs").delete_capacity_provider(capacityProvider=entry.arn)
            except ClientError as error:
                if code_of(error) in _BUSY:
                    return waiting("the cluster still uses it")
                # one code for "unknown" and for "in use": refused AND not to be seen is gone
                if code_of(error) not in _REFUSED:
                    raise
                return waiting("the cluster still uses it") if self.observe(scope) else GONE
        return waiting("it is being deleted") if self.observe(scope) else GONE

    def _create(self, context: Context) -> Made:
        answer = client("ecs").create_capacity_provider(
            name=self.name(context),
            autoScalingGroupProvider={
                "autoScalingGroupArn": context.arn("auto_scaling_group"),
                "managedScaling": {
                    "status": "ENABLED",
                    "targetCapacity": 100,
                    "instanceWarmupPeriod": WARM_UP_SECONDS,
                },
                "managedTerminationProtection": "ENABLED",
                "managedDraining": "ENABLED",
            },
            tags=lower_tags(context.tags()),
        )
        return Made(answer["capacityProvider"]["capacityProviderArn"])


def _described(name: str) -> dict[str, Any] | None:
    providers: list[dict[str, Any]] = []
    with domain_errors(f"describe capacity provider {name}", absent=_REFUSED):
        answer = client("ecs").describe_capacity_providers(capacityProviders=[name], include=["TAGS"])
        providers = answer["capacityProviders"]
    return dict(providers[0]) if providers else None
