"""Instances of the Auto Scaling groups behind capacity providers: launched, registered, watched, let go."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from shoal_local.fleet.boot import Boot, offered
from shoal_local.fleet.cloud import CloudFace
from shoal_local.fleet.launching import record
from shoal_local.fleet.placement import Resources, instances_for, left_over
from shoal_local.fleet.records import TaskRecord
from shoal_local.fleet.scaling import GroupState, desired_instances
from shoal_local.fleet.simtime import SimTime
from shoal_local.fleet.spot import NOTICE_SECONDS, Notices, is_drained_by_its_agent
from shoal_local.fleet.times import FleetTimes
from shoal_local.names import backend
from shoal_local.strict.slow import pending

TasksOn = Callable[[str], list[TaskRecord]]


class Instances:
    """One pass is :meth:`step`, under the lock of moto's state.

    Args:
        lost: called with the ARN of a container instance that is gone.
    """

    def __init__(
        self,
        cloud: CloudFace,
        time: SimTime,
        times: FleetTimes,
        notices: Notices,
        lost: Callable[[str, str], None],
    ) -> None:
        self._cloud = cloud
        self._time = time
        self._times = times
        self._notices = notices
        self._lost = lost
        self._boots: dict[str, Boot] = {}
        self._waiting_since: dict[str, float] = {}
        self._idle_since: dict[str, float] = {}
        self._tried: dict[str, float] = {}

    def join(self, timeout: float) -> None:
        for boot in self._boots.values():
            boot.join(timeout)

    def step(self, tasks_of: TasksOn) -> None:
        """``tasks_of`` gives the tasks of a cluster that are not stopped."""
        self._take_back()
        self._forget_gone()
        for provider in list(backend("ecs").capacity_providers.values()):
            group = group_of(provider)
            if provider.status != "ACTIVE" or group is None or pending(group):
                continue
            self._boot(group)
            if provider.auto_scaling_group_provider["managedScaling"]["status"] == "ENABLED":
                self._scale(provider, group, tasks_of)
            self._retry(group)

    def _boot(self, group: Any) -> None:
        for state in group.instance_states:
            if state.instance.id not in self._boots:
                boot = Boot(self._cloud, self._time, group, state.instance, self._times.boot)
                self._boots[state.instance.id] = boot
                boot.start()

    def _take_back(self) -> None:
        """Instances with a Spot notice: drained by their agent, terminated after their two minutes."""
        for instance_id, notice in self._notices.given().items():
            machine = backend("ec2").get_instance_by_id(instance_id)
            if machine is None or machine.state != "running":
                continue
            passed = self._time.now() - notice.at
            if passed >= NOTICE_SECONDS and self._time.clock.seconds(passed) >= self._times.real_notice:
                _interrupt(machine.autoscaling_group, instance_id)
            elif is_drained_by_its_agent(machine.autoscaling_group):
                for host in _hosts_of(instance_id):
                    host.status = "DRAINING"

    def _forget_gone(self) -> None:
        """ECS guide, "Deregistering a container instance": a terminated instance deregisters itself."""
        for instances in backend("ecs").container_instances.values():
            for identity, instance in list(instances.items()):
                machine = backend("ec2").get_instance_by_id(instance.ec2_instance_id)
                if machine is None or machine.state != "running":
                    del instances[identity]
                    self._lost(instance.container_instance_arn, instance.ec2_instance_id)

    def _scale(self, provider: Any, group: Any, tasks_of: TasksOn) -> None:
        clusters = [
            c.name for c in backend("ecs").clusters.values() if provider.name in (c.capacity_providers or [])
        ]
        tasks = [task for cluster in clusters for task in tasks_of(cluster)]
        mine = [task for task in tasks if task.capacity_provider_name == provider.name]
        registered = registered_in(clusters, group)
        idle = self._idle(registered, mine)
        waiting = [task.needs for task in mine if task.container_instance_arn is None and task.alive]
        free = {arn: free_on(instance, mine) for arn, instance in registered.items()}
        size = offered(group.instance_type)
        missing = instances_for(left_over(waiting, free), size)
        booting = len(group.instance_states) - len(registered)
        state = GroupState(
            minimum=group.min_size, maximum=group.max_size, desired=group.desired_capacity,
            busy=len(registered) - len(idle) + booting, idle_for=tuple(idle.values()),
            needed=max(0, missing - booting), waiting_for=self._waited(group.name, bool(missing)),
        )  # fmt: skip
        wanted = desired_instances(state, self._times.scaling_delay, self._times.idle_scale_in)
        if wanted > group.desired_capacity:
            group.set_desired_capacity(wanted)
        elif wanted < group.desired_capacity:
            self._let_go(group, registered, idle, group.desired_capacity - wanted)

    def _waited(self, name: str, waits: bool) -> float:
        if not waits:
            self._waiting_since.pop(name, None)
            return 0.0
        return self._time.now() - self._waiting_since.setdefault(name, self._time.now())

    def _idle(self, registered: dict[str, Any], tasks: Iterable[TaskRecord]) -> dict[str, float]:
        """Container instance ARN to how long it has had no task."""
        used = {task.container_instance_arn for task in tasks}
        for arn in list(self._idle_since):
            if arn in used:
                del self._idle_since[arn]
        moment = self._time.now()
        return {
            arn: moment - self._idle_since.setdefault(arn, moment) for arn in registered if arn not in used
        }

    def _let_go(self, group: Any, registered: dict[str, Any], idle: dict[str, float], count: int) -> None:
        """Managed termination: ECS takes the protection off an empty instance, Auto Scaling terminates it."""
        oldest = sorted(idle, key=lambda arn: -idle[arn])[:count]
        for arn in oldest:
            identity = registered[arn].ec2_instance_id
            for state in group.instance_states:
                if state.instance.id == identity:
                    state.protected_from_scale_in = False
            group.autoscaling_backend.terminate_instance(identity, True)
            record(group, f"Terminating EC2 instance: {identity}", None)

    def _retry(self, group: Any) -> None:
        """Auto Scaling tries again where it could not launch."""
        if len(group.instance_states) >= (group.desired_capacity or 0):
            return
        moment = self._time.now()
        if moment - self._tried.setdefault(group.name, moment) >= self._times.launch_retry:
            self._tried[group.name] = moment
            group.set_desired_capacity(group.desired_capacity)


def group_of(provider: Any) -> Any:
    """The Auto Scaling group of a capacity provider, or None."""
    name = provider.auto_scaling_group_provider["autoScalingGroupArn"].rsplit("/", 1)[-1]
    return backend("autoscaling").autoscaling_groups.get(name)


def registered_in(clusters: Iterable[str], group: Any) -> dict[str, Any]:
    """The container instances of a group in these clusters, by ARN."""
    mine = {state.instance.id for state in group.instance_states}
    shelves = backend("ecs").container_instances
    found = [instance for cluster in clusters for instance in shelves.get(cluster, {}).values()]
    return {each.container_instance_arn: each for each in found if each.ec2_instance_id in mine}


def _interrupt(group: Any, instance_id: str) -> None:
    """The group starts another one in its place, as soon as it can."""
    group.instance_states = [one for one in group.instance_states if one.instance.id != instance_id]
    backend("ec2").terminate_instances([instance_id])
    record(group, f"Terminating EC2 instance: {instance_id}", None)


def _hosts_of(instance_id: str) -> list[Any]:
    shelves = backend("ecs").container_instances.values()
    return [one for shelf in shelves for one in shelf.values() if one.ec2_instance_id == instance_id]


def free_on(instance: Any, tasks: Iterable[TaskRecord]) -> Resources:
    """What an instance has left; nothing when it is draining."""
    if instance.status != "ACTIVE":
        return Resources()
    left = offered(instance.attributes["ecs.instance-type"])
    for task in tasks:
        if task.container_instance_arn == instance.container_instance_arn and task.last_status != "STOPPED":
            left = left - task.needs
    return left
