"""The service scheduler of ECS: keeps each service at its desired count, deployment by deployment."""

from __future__ import annotations

import time as real
from typing import Any

from shoal_local.fleet import events, targets
from shoal_local.fleet.accounts import Accounts
from shoal_local.fleet.faults import FleetFaults
from shoal_local.fleet.records import TaskRecord
from shoal_local.fleet.rollout import Counts, moves
from shoal_local.fleet.simtime import SimTime
from shoal_local.fleet.tasks import Tasks
from shoal_local.fleet.times import FleetTimes
from shoal_local.names import backend
from shoal_local.strict.ecs_protection import protected_until


class Scheduler:
    """One pass over one service is :meth:`step`, under the lock of moto's state."""

    def __init__(self, tasks: Tasks, time: SimTime, times: FleetTimes, faults: FleetFaults) -> None:
        self._tasks = tasks
        self._time = time
        self._times = times
        self._faults = faults
        self._accounts = Accounts(time, times)
        self._running_since: dict[str, float] = {}
        self._end_at: dict[str, float] = {}

    def holds(self, resource: Any) -> bool:
        """Whether a DRAINING service has tasks left: then it is not INACTIVE yet."""
        if getattr(resource, "status", "") != "DRAINING" or not hasattr(resource, "deployments"):
            return False
        return any(task.last_status != "STOPPED" for task in self._tasks.of_service(resource))

    def step(self, service: Any) -> None:
        tasks = self._tasks.of_service(service)
        for task in tasks:
            self._look_after(service, task)
        if service.status != "INACTIVE" and service.deployments:
            self._move(service, [task for task in tasks if task.last_status != "STOPPED"])
            self._count(service, [task for task in tasks if task.last_status != "STOPPED"])

    def lost(self, container_instance_arn: str, instance_id: str) -> None:
        """The host of some tasks is gone."""
        for cluster in list(backend("ecs").tasks):
            for task in self._tasks.of_cluster(cluster):
                if task.container_instance_arn == container_instance_arn and task.last_status != "STOPPED":
                    task.stop("TerminationNotice", f"Host EC2 (instance {instance_id}) terminated.")
                    self._tasks.end(task, at_once=True)

    def _look_after(self, service: Any, task: TaskRecord) -> None:
        if task.last_status == "STOPPED":
            if not task.counted:
                self._bury(service, task)
        elif task.desired_status == "STOPPED":
            self._stop(service, task)
        elif task.last_status == "PROVISIONING":
            self._tasks.place(service, task)
        elif task.last_status == "RUNNING":
            self._watch(service, task)

    def _bury(self, service: Any, task: TaskRecord) -> None:
        """A task is over: off its targets, and put to its deployment's account."""
        task.counted = True
        targets.deregister(service, task)
        self._running_since.pop(task.id, None)
        self._end_at.pop(task.id, None)
        if task.started_at is not None:
            events.stopped(service, [task.id])
        events.task_stopped(task)
        self._accounts.ended(service, task)

    def _watch(self, service: Any, task: TaskRecord) -> None:
        if task.id not in self._running_since:
            self._running_since[task.id] = real.monotonic()
            targets.register(service, task, _instance_of(task))
        if self._faults.hits("unhealthy", service.name) and self._age(task) >= self._settle_time():
            events.container_unhealthy(service, task.id)
            return self._unfit(task, "Task failed container health checks")
        for arn, identity, port, health in targets.health_of(task):
            if health["State"] == "unhealthy" and self._grace_is_over(service, task):
                reason = health.get("Description") or health.get("Reason", "Health checks failed")
                events.unhealthy(service, identity, port, arn, reason)
                return self._unfit(task, f"Task failed ELB health checks in (target-group {arn})")
        return None

    def _unfit(self, task: TaskRecord, reason: str) -> None:
        task.failed_health = True
        task.stop("ServiceSchedulerInitiated", reason)

    def _lived(self, task: TaskRecord) -> bool:
        """Long enough, on the clock and really, for a task without health checks to count."""
        return self._age(task) >= max(self._settle_time(), self._times.real_settle)

    def _settle_time(self) -> float:
        return self._time.clock.seconds(self._times.settle)

    def _age(self, task: TaskRecord) -> float:
        """Real seconds since the scheduler saw it run."""
        return real.monotonic() - self._running_since[task.id]

    def _grace_is_over(self, service: Any, task: TaskRecord) -> bool:
        asked = float(service.health_check_grace_period_seconds or 0)
        grace = min(asked, max(self._time.clock.seconds(asked), self._times.real_grace))
        return self._age(task) >= grace

    def _stop(self, service: Any, task: TaskRecord) -> None:
        """Off the load balancer, a pause for its connections, then SIGTERM."""
        if task.id not in self._end_at:
            self._end_at[task.id] = self._time.now() + targets.deregister(service, task)
            task.move("DEACTIVATING")
        if self._time.now() >= self._end_at[task.id]:
            task.move("STOPPING")
            self._tasks.end(task)

    def _move(self, service: Any, tasks: list[TaskRecord]) -> None:
        primary, live = service.deployments[0], [task for task in tasks if task.alive]
        mine = [task for task in live if task.started_by == primary["id"]]
        older = [task for task in live if task.started_by != primary["id"]]
        for task in live:
            if _on_draining_host(task) and not protected_until(task):
                task.stop(
                    "ServiceSchedulerInitiated", "Scaling activity initiated by draining container instance"
                )
        wanted = service.desired_count if service.status == "ACTIVE" else 0
        fit = {task.id for task in live if self._healthy(service, task)}
        counts = Counts(wanted, len(mine), len(older), len(fit), len([t for t in older if t.id in fit]))
        step = moves(counts, service.deployment_configuration)
        deployment = f"Scaling activity initiated by (deployment {primary['id']})"
        self._stop_some(mine, step.stop_primary, deployment, fit, force=service.status == "DRAINING")
        self._stop_some(older, step.stop_older, deployment, fit, force=service.status == "DRAINING")
        if primary["rolloutState"] != "FAILED" and self._accounts.may_start(primary["id"]):
            for _ in range(step.start):
                self._tasks.make(service, primary)

    @staticmethod
    def _stop_some(tasks: list[TaskRecord], count: int, reason: str, fit: set[str], force: bool) -> None:
        """The unhealthy first, then the youngest; protected ones only when the service goes."""
        free = [task for task in tasks if force or not protected_until(task)]
        order = sorted(
            free, key=lambda t: (t.id in fit, t.last_status == "RUNNING", -t.created_at.timestamp())
        )
        for task in order[:count]:
            task.stop("ServiceSchedulerInitiated", reason)

    def _healthy(self, service: Any, task: TaskRecord) -> bool:
        """Running, and healthy in every target group; without one, alive for long enough."""
        if task.last_status != "RUNNING" or task.id not in self._running_since:
            return False
        if self._faults.hits("unhealthy", service.name):
            return False
        found = targets.health_of(task)
        if found:
            return all(health["State"] == "healthy" for *_, health in found)
        return self._lived(task)

    def _count(self, service: Any, tasks: list[TaskRecord]) -> None:
        for deployment in service.deployments:
            mine = [task for task in tasks if task.started_by == deployment["id"] and task.alive]
            running = len([task for task in mine if task.last_status == "RUNNING"])
            deployment.update(runningCount=running, pendingCount=len(mine) - running)
        alive = [task for task in tasks if task.desired_status == "RUNNING"]
        service.running_count = len(
            [task for task in tasks if task.last_status in ("RUNNING", "DEACTIVATING")]
        )
        service.pending_count = len([task for task in alive if task.last_status != "RUNNING"])
        if service.status == "ACTIVE":
            self._settle(service, tasks)

    def _settle(self, service: Any, tasks: list[TaskRecord]) -> None:
        primary = service.deployments[0]
        mine = [task for task in tasks if task.started_by == primary["id"] and self._healthy(service, task)]
        if len(mine) != service.desired_count or len(tasks) != len(mine):
            return
        self._accounts.settled(primary["id"])
        del service.deployments[1:]
        if primary["rolloutState"] == "IN_PROGRESS":
            reason = f"ECS deployment {primary['id']} completed."
            primary.update(rolloutState="COMPLETED", rolloutStateReason=reason, failedTasks=0)
            events.deployment_completed(service, primary["id"])
            events.steady(service)


def _instance_of(task: TaskRecord) -> str:
    """The EC2 instance a task is on; empty on Fargate."""
    instance = _host(task)
    return str(instance.ec2_instance_id) if instance else ""


def _host(task: TaskRecord) -> Any:
    hosts = backend("ecs").container_instances.get(task.cluster_name, {})
    return hosts.get(str(task.container_instance_arn).rsplit("/", 1)[-1])


def _on_draining_host(task: TaskRecord) -> bool:
    return getattr(_host(task), "status", "ACTIVE") == "DRAINING"
