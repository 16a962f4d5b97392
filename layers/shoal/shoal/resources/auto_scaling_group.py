"""The Auto Scaling group of the GPU instances: zero to the fleet's size, driven by the capacity provider."""

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
    make_or_adopt,
    plain_tags,
    waiting,
)
from shoal.settings import settings

_BUSY = frozenset({"ResourceInUse", "ScalingActivityInProgress", "ResourceContention"})


class AutoScalingGroup:
    """Protected from scale-in, because managed termination protection asks for it."""

    kind = "auto_scaling_group"
    order = 90
    blocked_by = ("service", "capacity_provider")

    def applies(self, spec: DeploymentSpec) -> bool:
        return spec.compute == "ec2-gpu"

    def name(self, scope: Scope) -> str:
        return scope.name()

    def make(self, context: Context) -> Made:
        return make_or_adopt(self, context, lambda: self._create(context), frozenset({"AlreadyExists"}))

    def observe(self, scope: Scope) -> Found | None:
        group = describe_group(self.name(scope))
        return Found(group["AutoScalingGroupARN"], plain_tags(group.get("Tags", []))) if group else None

    def unmake(self, entry: Entry, scope: Scope) -> Answer:
        """ForceDelete terminates the instances, also those protected from scale-in."""
        from botocore.exceptions import ClientError

        with domain_errors(f"delete Auto Scaling group {entry.name}"):
            try:
                client("autoscaling").delete_auto_scaling_group(
                    AutoScalingGroupName=entry.name, ForceDelete=True
                )
            except ClientError as error:
                if code_of(error) in _BUSY:
                    return waiting("its instances are terminating")
                # AWS has no code of its own for an unknown group: refused AND not to be seen is gone
                if code_of(error) != "ValidationError" or self.observe(scope):
                    raise
                return GONE
        return waiting("its instances are terminating") if self.observe(scope) else GONE

    def _create(self, context: Context) -> Made:
        client("autoscaling").create_auto_scaling_group(
            AutoScalingGroupName=self.name(context),
            LaunchTemplate={"LaunchTemplateId": context.arn("launch_template"), "Version": "1"},
            MinSize=0,
            DesiredCapacity=0,
            MaxSize=context.spec.fleet_size,
            VPCZoneIdentifier=",".join(settings().subnets()),
            NewInstancesProtectedFromScaleIn=True,
            Tags=_tags(context.tags() | {"AmazonECSManaged": "true"}),
        )
        group = describe_group(self.name(context))
        return Made(group["AutoScalingGroupARN"] if group else "")


def describe_group(name: str) -> dict[str, Any] | None:
    with domain_errors(f"describe Auto Scaling group {name}"):
        answer = client("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=[name])
    groups = answer["AutoScalingGroups"]
    return dict(groups[0]) if groups else None


def _tags(tags: dict[str, str]) -> list[dict[str, Any]]:
    return [{"Key": key, "Value": value, "PropagateAtLaunch": True} for key, value in tags.items()]
