"""The listener of an endpoint on the port this deployment claimed."""

from __future__ import annotations

from typing import Any

from shoal.aws import client, domain_errors
from shoal.contracts.deployment import DeploymentSpec
from shoal.errors import NoCapacity
from shoal.resources import ports
from shoal.resources.kind import GONE, Answer, Context, Entry, Found, Made, Scope, plain_tags, upper_tags
from shoal.settings import settings

_ABSENT = frozenset({"ListenerNotFound"})
_TAKEN = frozenset({"DuplicateListener"})
_TAGS_A_CALL = 20
"""DescribeTags takes at most 20 resources."""


class Listener:
    """Gone before its target group; stopped first, so that no request reaches a dying worker."""

    kind = "listener"
    order = 30
    blocked_by = ()

    def applies(self, spec: DeploymentSpec) -> bool:
        return spec.has_endpoint

    def name(self, scope: Scope) -> str:
        return scope.name()

    def make(self, context: Context) -> Made:
        found = self.observe(context)
        if found:
            return Made(found.arn, found.extra)
        for _ in settings().ports():
            port = ports.claim(context.deployment, context.generation)
            made = self._create(context, port)
            if made:
                return made
            ports.mark_foreign(port, context.deployment, context.generation)
        raise NoCapacity(
            "listeners that are not ours hold every port: widen ListenerPorts or use another balancer"
        )

    def observe(self, scope: Scope) -> Found | None:
        """Listeners have no name: ours is the one whose tags name this deployment."""
        listeners = {one["ListenerArn"]: one for one in _listeners()}
        arns = sorted(listeners)
        for start in range(0, len(arns), _TAGS_A_CALL):
            for tagged in _tags(arns[start : start + _TAGS_A_CALL]):
                tags, arn = plain_tags(tagged["Tags"]), tagged["ResourceArn"]
                if scope.owns(tags):
                    return Found(arn, tags, {"port": str(listeners[arn]["Port"])})
        return None

    def unmake(self, entry: Entry, scope: Scope) -> Answer:  # noqa: ARG002
        with domain_errors(f"delete the listener of {entry.name}", absent=_ABSENT):
            client("elbv2").delete_listener(ListenerArn=entry.arn)
        return GONE

    def _create(self, context: Context, port: int) -> Made | None:
        """The listener, or None where somebody else's holds the port (an identical one is answered again)."""
        with domain_errors(f"make the listener on port {port}", absent=_TAKEN):
            answer = client("elbv2").create_listener(
                LoadBalancerArn=settings().need("load_balancer_arn"),
                Protocol="HTTP",
                Port=port,
                DefaultActions=[{"Type": "forward", "TargetGroupArn": context.arn("target_group")}],
                Tags=upper_tags(context.tags()),
            )
            return Made(answer["Listeners"][0]["ListenerArn"], {"port": str(port)})
        found = self.observe(context)
        return Made(found.arn, found.extra) if found else None


def _listeners() -> list[dict[str, Any]]:
    balancer = settings().need("load_balancer_arn")
    with domain_errors("list the listeners"):
        pages = client("elbv2").get_paginator("describe_listeners").paginate(LoadBalancerArn=balancer)
        return [listener for page in pages for listener in page["Listeners"]]


def _tags(arns: list[str]) -> list[dict[str, Any]]:
    with domain_errors("read the tags of the listeners", absent=_ABSENT):
        return list(client("elbv2").describe_tags(ResourceArns=arns)["TagDescriptions"])
    return []
