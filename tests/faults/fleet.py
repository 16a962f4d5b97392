"""A fleet that holds state and needs no process: services become steady when virtual time passes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from faults.watch import Watch
from shoal_local.names import backend

TARGET_PORT = 32768


@dataclass
class Fleet:
    """What ECS's scheduler, its managed scaling and the health checks do between two polls.

    ``broken`` names task definitions (by a part of their ARN) whose workers never start.
    """

    broken: str = ""
    watch: Watch = field(default_factory=Watch)
    """Told what changes without a call."""

    def tick(self) -> None:
        self.watch.read("ecs")
        self.watch.read("elbv2")
        for service in list(backend("ecs").services.values()):
            if service.status == "ACTIVE":
                self._steady(service)
            else:
                _leave(service)

    def _steady(self, service: Any) -> None:
        primary = service.deployments[0]
        if primary["rolloutState"] == "FAILED":
            return
        if self.broken and self.broken in primary["taskDefinition"]:
            primary.update(rolloutState="FAILED", failedTasks=3, rolloutStateReason="tasks failed to start")
            return
        identity = self._capacity(service)
        service.deployments = [primary]
        primary.update(rolloutState="COMPLETED", runningCount=service.desired_count)
        service.running_count = service.desired_count
        if service.desired_count:
            _join(service, identity)
        else:
            _leave(service)

    def _capacity(self, service: Any) -> str:
        """The instance a task runs on; one is launched where there is none. Fargate: an address."""
        strategy = getattr(service, "capacity_provider_strategy", None)
        if not strategy or not service.desired_count:
            return "10.0.0.9"
        name = strategy[0]["capacityProvider"]
        provider = backend("ecs").capacity_providers[name]
        group_name = provider.auto_scaling_group_provider["autoScalingGroupArn"].rsplit("/", 1)[-1]
        scaling = backend("autoscaling")
        group = scaling.autoscaling_groups[group_name]
        if not group.instance_states:
            scaling.set_desired_capacity(group_name, 1)
            self.watch.changed("autoscaling")
        return str(group.instance_states[0].instance.id)


def _join(service: Any, identity: str) -> None:
    from shoal_local.strict.elbv2_targets import register

    for balancer in service.load_balancers or []:
        group = backend("elbv2").target_groups.get(balancer["targetGroupArn"])
        if group is not None and not group.targets:
            register(group, identity, TARGET_PORT)


def _leave(service: Any) -> None:
    service.running_count = 0
    for balancer in service.load_balancers or []:
        group = backend("elbv2").target_groups.get(balancer["targetGroupArn"])
        if group is not None:
            group.targets.clear()
