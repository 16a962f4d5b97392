"""The target group of an endpoint (Elastic Load Balancing v2, CreateTargetGroup)."""

from __future__ import annotations

from typing import Any

from shoal.aws import client, code_of, domain_errors
from shoal.contracts.deployment import DeploymentSpec
from shoal.resources import balancer
from shoal.resources.kind import (
    GONE,
    Answer,
    Context,
    Entry,
    Found,
    Made,
    Scope,
    make_or_adopt,
    upper_tags,
    waiting,
)
from shoal.settings import settings

NAME_LIMIT = 32
DEREGISTRATION_DELAY_SECONDS = 30
"""AWS's default of 300 s would add 4.5 minutes to every deletion; a prediction takes seconds."""

_ABSENT = frozenset({"TargetGroupNotFound"})


class TargetGroup:
    kind = "target_group"
    order = 20
    blocked_by = ("service", "listener", "host_rule")

    def applies(self, spec: DeploymentSpec) -> bool:
        return spec.has_endpoint

    def name(self, scope: Scope) -> str:
        return scope.name(limit=NAME_LIMIT)

    def make(self, context: Context) -> Made:
        taken = frozenset({"DuplicateTargetGroupName"})
        made = make_or_adopt(self, context, lambda: self._create(context), taken)
        with domain_errors(f"set the attributes of target group {self.name(context)}"):
            client("elbv2").modify_target_group_attributes(TargetGroupArn=made.arn, Attributes=_attributes())
        return made

    def observe(self, scope: Scope) -> Found | None:
        groups: list[dict[str, Any]] = []
        with domain_errors("look for the target group", absent=_ABSENT):
            groups = client("elbv2").describe_target_groups(Names=[self.name(scope)])["TargetGroups"]
        if not groups:
            return None
        arn = groups[0]["TargetGroupArn"]
        return Found(arn, balancer.tags_of([arn]).get(arn, {}))

    def unmake(self, entry: Entry, scope: Scope) -> Answer:  # noqa: ARG002
        from botocore.exceptions import ClientError

        with domain_errors(f"delete target group {entry.name}", absent=_ABSENT):
            try:
                client("elbv2").delete_target_group(TargetGroupArn=entry.arn)
            except ClientError as error:
                if code_of(error) == "ResourceInUse":
                    return waiting("a listener still forwards to it")
                raise
        return GONE

    def _create(self, context: Context) -> Made:
        awsvpc = context.spec.compute == "fargate-cpu"
        with balancer.within_limits(balancer.TARGET_GROUP_LIMITS):
            answer = client("elbv2").create_target_group(
                Name=self.name(context),
                Protocol="HTTP",
                Port=80,  # only a default: every target registers with its own port
                VpcId=settings().need("vpc_id"),
                TargetType="ip" if awsvpc else "instance",
                HealthCheckProtocol="HTTP",
                HealthCheckPort="traffic-port",
                HealthCheckPath="/health",
                HealthCheckIntervalSeconds=10,
                HealthCheckTimeoutSeconds=5,
                HealthyThresholdCount=2,
                UnhealthyThresholdCount=3,
                Matcher={"HttpCode": "200"},
                Tags=upper_tags(context.tags()),
            )
        return Made(answer["TargetGroups"][0]["TargetGroupArn"])


def _attributes() -> list[dict[str, str]]:
    return [
        {"Key": "deregistration_delay.timeout_seconds", "Value": str(DEREGISTRATION_DELAY_SECONDS)},
        {"Key": "load_balancing.algorithm.type", "Value": "least_outstanding_requests"},
    ]
