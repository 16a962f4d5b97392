"""The Auto Scaling group of the GPU instances: zero to the fleet's size, driven by the capacity provider."""

from __future__ import annotations

from typing import Any

from shoal.aws import client, code_of, domain_errors
from shoal.contracts.deployment import DeploymentSpec
from shoal.resources.instance_mix import SUBNETS, purchase
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

_PROTECT_A_CALL = 50
"""SetInstanceProtection takes at most 50 instances."""
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

    def adjust(self, context: Context) -> None:
        """Instances that run stay as they are; those that start from now on are of this version."""
        with domain_errors(f"update Auto Scaling group {self.name(context)}"):
            client("autoscaling").update_auto_scaling_group(
                AutoScalingGroupName=self.name(context),
                **purchase(context.spec, _template(context)),
                MinSize=0,
                MaxSize=most_instances(context.spec),
                VPCZoneIdentifier=_zones(context),
            )

    def halt(self, scope: Scope) -> int:
        """A maximum of 0 keeps every instance from starting, whoever asks for a task; answers those left."""
        name = self.name(scope)
        group = describe_group(name)
        alive = [one["InstanceId"] for one in (group or {}).get("Instances", [])]
        groups = client("autoscaling")
        with domain_errors(f"send Auto Scaling group {name} to nothing"):
            for start in range(0, len(alive), _PROTECT_A_CALL):
                groups.set_instance_protection(
                    AutoScalingGroupName=name,
                    InstanceIds=alive[start : start + _PROTECT_A_CALL],
                    ProtectedFromScaleIn=False,
                )
            groups.update_auto_scaling_group(
                AutoScalingGroupName=name, MinSize=0, MaxSize=0, DesiredCapacity=0
            )
        return len(alive)

    def _create(self, context: Context) -> Made:
        client("autoscaling").create_auto_scaling_group(
            AutoScalingGroupName=self.name(context),
            **purchase(context.spec, _template(context)),
            MinSize=0,
            DesiredCapacity=0,
            MaxSize=most_instances(context.spec),
            VPCZoneIdentifier=_zones(context),
            NewInstancesProtectedFromScaleIn=True,
            Tags=_tags(context.tags() | {"AmazonECSManaged": "true"}),
        )
        group = describe_group(self.name(context))
        return Made(group["AutoScalingGroupARN"] if group else "")


def most_instances(spec: DeploymentSpec) -> int:
    """The fleet, and room for one more where an update starts the new worker before the old one stops.

    ECS never asks for it otherwise: the desired count stays within ``fleet_size``.
    """
    return spec.fleet_size + 1 if spec.has_endpoint else spec.fleet_size


def describe_group(name: str) -> dict[str, Any] | None:
    with domain_errors(f"describe Auto Scaling group {name}"):
        answer = client("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=[name])
    groups = answer["AutoScalingGroups"]
    return dict(groups[0]) if groups else None


def _template(context: Context) -> dict[str, str]:
    version = context.made["launch_template_version"]
    return {"LaunchTemplateId": version.arn, "Version": version.extra["version"]}


def _zones(context: Context) -> str:
    """The subnets of its types' zones, or all of the stack."""
    return context.made["launch_template_version"].extra.get(SUBNETS) or ",".join(settings().subnets())


def _tags(tags: dict[str, str]) -> list[dict[str, Any]]:
    return [{"Key": key, "Value": value, "PropagateAtLaunch": True} for key, value in tags.items()]
