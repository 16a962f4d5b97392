"""The claim of a listener port: an item of our own table, not of AWS."""

from __future__ import annotations

from shoal.contracts.deployment import DeploymentSpec
from shoal.resources import ports
from shoal.resources.kind import GONE, Answer, Context, Entry, Found, Made, Scope, own_tags


class ListenerPort:
    """Claimed first, released last: nobody takes the port while a listener of ours may still be on it."""

    kind = "listener_port"
    order = 10
    blocked_by = ("listener",)

    def applies(self, spec: DeploymentSpec) -> bool:
        return spec.has_port

    def name(self, scope: Scope) -> str:
        return scope.name()

    def make(self, context: Context) -> Made:
        port = ports.claim(context.deployment, context.generation)
        return Made(str(port), {"port": str(port)})

    def observe(self, scope: Scope) -> Found | None:
        held = ports.owned(scope.deployment)
        return Found(str(held[0]), own_tags(scope)) if held else None

    def unmake(self, entry: Entry, scope: Scope) -> Answer:  # noqa: ARG002
        for port in ports.owned(scope.deployment):
            ports.release(port, scope.deployment)
        return GONE
