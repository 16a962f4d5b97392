"""The listener of an endpoint on the port this deployment claimed."""

from __future__ import annotations

from shoal.aws import client, domain_errors
from shoal.contracts.deployment import DeploymentSpec
from shoal.errors import NoCapacity
from shoal.resources import balancer, ports
from shoal.resources.kind import Answer, Context, Entry, Found, Made, Scope, upper_tags
from shoal.settings import settings

_TAKEN = frozenset({"DuplicateListener"})


class Listener:
    """Gone before its target group; stopped first, so that no request reaches a dying worker."""

    kind = "listener"
    order = 30
    blocked_by = ()

    def applies(self, spec: DeploymentSpec) -> bool:
        return spec.has_port

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
        present = {one["ListenerArn"]: one for one in balancer.listeners()}
        ours = balancer.owned(scope, list(present))
        if ours is None:
            return None
        arn, tags = ours
        return Found(arn, tags, {"port": str(present[arn]["Port"])})

    def unmake(self, entry: Entry, scope: Scope) -> Answer:  # noqa: ARG002
        elb, arn = client("elbv2"), entry.arn
        return balancer.unmake(
            entry,
            delete=lambda: elb.delete_listener(ListenerArn=arn),
            exists=lambda: elb.describe_listeners(ListenerArns=[arn]),
        )

    def _create(self, context: Context, port: int) -> Made | None:
        """The listener, or None where somebody else's holds the port (an identical one is answered again)."""
        doing = f"make the listener on port {port}"
        with domain_errors(doing, absent=_TAKEN), balancer.within_limits(_limits()):
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


def _limits() -> dict[str, str]:
    full = (
        "the load balancer holds as many listeners as AWS allows (50 unless raised): "
        f"{balancer.other_routing()}, delete a deployment, or ask AWS for more"
    )
    return {"TooManyListeners": full, **balancer.TARGET_GROUP_LIMITS}
