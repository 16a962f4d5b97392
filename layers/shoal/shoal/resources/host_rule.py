"""The rule of an endpoint on the shared HTTPS listener: its host name forwards to its target group."""

from __future__ import annotations

import fnmatch
from typing import Any

from shoal.aws import client, domain_errors
from shoal.contracts.deployment import DeploymentSpec
from shoal.errors import Conflict, Retryable
from shoal.resources import balancer, priorities
from shoal.resources.hosts import host_of
from shoal.resources.kind import Answer, Context, Entry, Found, Made, Scope, upper_tags
from shoal.settings import settings

_TAKEN = frozenset({"PriorityInUse"})
_TRIES = 10
"""Each is lost only to somebody who took the same priority since the rules were listed."""

_LIMITS = {
    "TooManyRules": "the load balancer holds as many rules as AWS allows (100 unless raised): "
    "deploy with routing: port, delete a deployment, or ask AWS for more",
    **balancer.TARGET_GROUP_LIMITS,
}


class HostRule:
    """Gone before its target group; removed first, so that no request reaches a dying worker."""

    kind = "host_rule"
    order = 35
    blocked_by = ()

    def applies(self, spec: DeploymentSpec) -> bool:
        return spec.has_host

    def name(self, scope: Scope) -> str:
        return scope.name()

    def make(self, context: Context) -> Made:
        found = self.observe(context)
        if found:
            return Made(found.arn, found.extra)
        for _ in range(_TRIES):
            present = balancer.rules()
            busy = {int(rule["Priority"]) for rule in present}
            priority = priorities.claim(context.deployment, context.generation, busy)
            _check_foreign(host_of(context.spec), priority, present)
            made = self._create(context, priority)
            if made:
                return made
            priorities.mark_foreign(priority, context.deployment, context.generation)
        raise Retryable("others take every priority of the shared listener as soon as it is free: try again")

    def observe(self, scope: Scope) -> Found | None:
        """Rules have no name: ours is the one whose tags name this deployment."""
        present = {rule["RuleArn"]: rule for rule in balancer.rules()}
        ours = balancer.owned(scope, list(present))
        if ours is None:
            return None
        arn, tags = ours
        return Found(arn, tags, _extra(hosts_of(present[arn])[0], present[arn]["Priority"]))

    def unmake(self, entry: Entry, scope: Scope) -> Answer:  # noqa: ARG002
        elb, arn = client("elbv2"), entry.arn
        return balancer.unmake(
            entry,
            delete=lambda: elb.delete_rule(RuleArn=arn),
            exists=lambda: elb.describe_rules(RuleArns=[arn]),
        )

    def _create(self, context: Context, priority: int) -> Made | None:
        """The rule, or None where somebody else's holds the priority (ours is found by its tags)."""
        host = host_of(context.spec)
        with domain_errors(f"make the rule for {host}", absent=_TAKEN), balancer.within_limits(_LIMITS):
            answer = client("elbv2").create_rule(
                ListenerArn=settings().need("https_listener_arn"),
                Priority=priority,
                Conditions=[{"Field": "host-header", "HostHeaderConfig": {"Values": [host]}}],
                Actions=[{"Type": "forward", "TargetGroupArn": context.arn("target_group")}],
                Tags=upper_tags(context.tags()),
            )
            return Made(answer["Rules"][0]["RuleArn"], _extra(host, priority))
        found = self.observe(context)
        return Made(found.arn, found.extra) if found else None


def hosts_of(rule: dict[str, Any]) -> list[str]:
    """The host names (or patterns) a rule routes by host alone; none where it has other conditions too."""
    conditions = rule.get("Conditions", [])
    if any(condition.get("Field") != "host-header" for condition in conditions):
        return []
    return [
        str(value).lower()
        for condition in conditions
        for value in (condition.get("HostHeaderConfig") or condition).get("Values", [])
    ]


def _check_foreign(host: str, priority: int, present: list[dict[str, Any]]) -> None:
    """We take nobody's requests and nobody takes ours, by the same name or by a pattern before us."""
    for rule in present:
        for pattern in hosts_of(rule):
            before = int(rule["Priority"]) < priority
            if pattern == host or (before and fnmatch.fnmatchcase(host, pattern)):
                raise Conflict(
                    f"rule {rule['Priority']} of the shared listener, which is not ours, routes {pattern}: "
                    f"remove it, or choose another host name than {host}"
                )


def _extra(host: str, priority: int | str) -> dict[str, str]:
    return {"host": host, "priority": str(priority)}
