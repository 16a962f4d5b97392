"""The log group of the workers, with a retention (CloudWatch Logs)."""

from __future__ import annotations

from typing import Any

from shoal.aws import client, domain_errors
from shoal.contracts.deployment import DeploymentSpec
from shoal.resources.kind import GONE, Answer, Context, Entry, Found, Made, Scope, make_or_adopt
from shoal.settings import settings

_ABSENT = frozenset({"ResourceNotFoundException"})


class LogGroup:
    kind = "log_group"
    order = 40
    blocked_by = ("service",)

    def applies(self, spec: DeploymentSpec) -> bool:  # noqa: ARG002
        return True

    def name(self, scope: Scope) -> str:
        return scope.name()

    def make(self, context: Context) -> Made:
        taken = frozenset({"ResourceAlreadyExistsException"})
        made = make_or_adopt(self, context, lambda: self._create(context), taken)
        days = settings().log_retention_days
        with domain_errors(f"set the retention of log group {self.name(context)}"):
            client("logs").put_retention_policy(logGroupName=self.name(context), retentionInDays=days)
        return made

    def observe(self, scope: Scope) -> Found | None:
        name = self.name(scope)
        groups: list[dict[str, Any]] = []
        with domain_errors(f"look for log group {name}"):
            groups = client("logs").describe_log_groups(logGroupNamePrefix=name)["logGroups"]
        for group in groups:
            if group["logGroupName"] == name:
                return _found(group)
        return None

    def unmake(self, entry: Entry, scope: Scope) -> Answer:  # noqa: ARG002
        delete_log_group(entry.name)
        return GONE

    def _create(self, context: Context) -> Made:
        name = self.name(context)
        client("logs").create_log_group(logGroupName=name, tags=context.tags())
        return Made(name)


def delete_log_group(name: str) -> None:
    """Delete it; absent already is as good."""
    with domain_errors(f"delete log group {name}", absent=_ABSENT):
        client("logs").delete_log_group(logGroupName=name)


def _found(group: dict[str, Any]) -> Found:
    tags: dict[str, str] = {}
    # tags are read by the ARN without the ``:*`` that DescribeLogGroups appends
    arn = group["arn"].removesuffix(":*")
    with domain_errors(f"read the tags of log group {group['logGroupName']}", absent=_ABSENT):
        tags = client("logs").list_tags_for_resource(resourceArn=arn)["tags"]
    return Found(group["logGroupName"], tags)
