"""The claim of a host name and of a rule's priority: items of our own table, not of AWS."""

from __future__ import annotations

from shoal.contracts.deployment import DeploymentSpec
from shoal.resources import hosts, priorities
from shoal.resources.hosts import host_of
from shoal.resources.kind import GONE, Answer, Context, Entry, Found, Made, Scope, own_tags


class HostClaim:
    """Claimed first, released last: nobody takes the name while a rule of ours may still route it."""

    kind = "host_claim"
    order = 15
    blocked_by = ("host_rule",)

    def applies(self, spec: DeploymentSpec) -> bool:
        return spec.has_host

    def name(self, scope: Scope) -> str:
        return scope.name()

    def make(self, context: Context) -> Made:
        host = host_of(context.spec)
        hosts.claim(host, context.deployment, context.generation)
        return Made(host, {"host": host})

    def observe(self, scope: Scope) -> Found | None:
        """A claim of either: a priority may outlive its host name in a release that broke off."""
        held = [*hosts.owned(scope.deployment), *map(str, priorities.owned(scope.deployment))]
        return Found(held[0], own_tags(scope)) if held else None

    def unmake(self, entry: Entry, scope: Scope) -> Answer:  # noqa: ARG002
        priorities.release_all(scope.deployment)
        for host in hosts.owned(scope.deployment):
            hosts.release(host, scope.deployment)
        return GONE
