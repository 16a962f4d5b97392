"""Tasks of services: made, placed, started, stopped."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from shoal_local.fleet import events
from shoal_local.fleet.agent import Agent
from shoal_local.fleet.cloud import CloudFace
from shoal_local.fleet.faults import FleetFaults
from shoal_local.fleet.instances import free_on
from shoal_local.fleet.placement import needs_of, place
from shoal_local.fleet.records import ContainerRecord, TaskRecord
from shoal_local.fleet.runner import TaskRunner
from shoal_local.fleet.simtime import SimTime
from shoal_local.fleet.times import FleetTimes
from shoal_local.names import backend

KEPT_SECONDS = 3600.0
"""ECS API DescribeTasks: stopped tasks can be seen for about an hour."""
_CRASH = ("python3", "-c", "print('injected: the container crashes', flush=True); raise SystemExit(1)")


class Tasks:
    """The tasks of all services and the threads that run them. Under the lock of moto's state."""

    def __init__(
        self, cloud: CloudFace, agent: Agent, time: SimTime, times: FleetTimes, faults: FleetFaults,
        folder: Path, entrypoint: Sequence[str],
    ) -> None:  # fmt: skip
        self._cloud = cloud
        self._agent = agent
        self._time = time
        self._times = times
        self._faults = faults
        self._folder = folder
        self._entrypoint = entrypoint
        self._runners: dict[str, TaskRunner] = {}
        self._born: dict[str, float] = {}

    def of_service(self, service: Any) -> list[TaskRecord]:
        """Every task of a service that is still described, stopped ones too; oldest first."""
        group = f"service:{service.name}"
        return [task for task in self.of_cluster(service.cluster_name) if task.group == group]

    def of_cluster(self, cluster: str) -> list[TaskRecord]:
        tasks = backend("ecs").tasks.get(cluster, {}).values()
        return sorted(
            (task for task in tasks if isinstance(task, TaskRecord)), key=lambda task: task.created_at
        )

    def make(self, service: Any, deployment: dict[str, Any]) -> TaskRecord:
        """A task of the deployment, PROVISIONING: it has no place yet."""
        definition = backend("ecs").describe_task_definition(deployment["taskDefinition"])
        strategy = service.capacity_provider_strategy or []
        provider = strategy[0]["capacityProvider"].rsplit("/", 1)[-1] if strategy else None
        fargate = service.launch_type == "FARGATE" or str(provider).startswith("FARGATE")
        needs = needs_of(definition)
        task = TaskRecord(
            cluster_name=service.cluster_name, cluster_arn=service.cluster_arn,
            task_definition_arn=definition.arn, group=f"service:{service.name}", started_by=deployment["id"],
            launch_type="FARGATE" if fargate else "EC2", capacity_provider_name=provider, needs=needs,
            tags=list(service.tags) if service.propagate_tags == "SERVICE" else [],
            cpu=str(needs.cpu), memory=str(needs.memory), region_name=service.region_name,
        )  # fmt: skip
        for container in definition.container_definitions:
            arn = f"{task.task_arn.replace(':task/', ':container/')}/{container['name']}"
            task.containers.append(ContainerRecord(container["name"], container["image"], task.task_arn, arn))
        if fargate:
            task.attachments.append(_interface(service))
        backend("ecs").tasks.setdefault(service.cluster_name, {})[task.task_arn] = task
        self._born[task.id] = self._time.now()
        return task

    def age(self, task: TaskRecord) -> float:
        """Seconds on the clock since the task was made."""
        return self._time.now() - self._born.get(task.id, self._time.now())

    def place(self, service: Any, task: TaskRecord) -> None:
        """Give a PROVISIONING task its place and start it, or say why there is none."""
        if task.launch_type == "FARGATE":
            if self.age(task) >= self._times.fargate_start:
                self._start(service, task)
            return
        instances = backend("ecs").container_instances.get(service.cluster_name, {})
        tasks = self.of_cluster(service.cluster_name)
        usable = {
            instance.container_instance_arn: instance
            for instance in instances.values()
            if task.capacity_provider_name in (None, getattr(instance, "capacity_provider_name", None))
        }
        free = {arn: free_on(instance, tasks) for arn, instance in usable.items()}
        chosen = place(task.needs, free)
        if chosen is None:
            if self.age(task) >= self._times.scaling_delay + self._times.boot:
                closest = max(free, key=lambda arn: (free[arn].gpus, free[arn].memory), default="")
                events.no_place(service, free[closest].lacks(task.needs) if closest else "", closest)
            return
        task.container_instance_arn = chosen
        self._start(service, task)

    def _start(self, service: Any, task: TaskRecord) -> None:
        definition = backend("ecs").describe_task_definition(task.task_definition_arn)
        entrypoint = _CRASH if self._faults.hits("crash", service.name) else self._entrypoint
        mappings = definition.container_definitions[0].get("portMappings") or [{}]
        if task.launch_type == "EC2":
            task.host_port = int(mappings[0].get("hostPort") or 0)
        runner = TaskRunner(self._cloud, self._agent, self._folder, entrypoint, task, definition)
        task.move("PENDING")
        self._runners[task.id] = runner
        runner.start()
        events.started(service, [task.id])

    def end(self, task: TaskRecord, at_once: bool = False) -> None:
        """Carry out a stop that was asked for; a task that never started is stopped at once."""
        runner = self._runners.get(task.id)
        if runner is not None:
            runner.stop(at_once)
        else:
            task.container.last_status = "STOPPED"
            task.move("STOPPED")

    def forget_old(self) -> None:
        """Stopped tasks leave the list after an hour, their thread when it has ended."""
        for tasks in backend("ecs").tasks.values():
            for arn, task in list(tasks.items()):
                if isinstance(task, TaskRecord) and task.last_status == "STOPPED" and task.counted:
                    self._runners.pop(task.id, None)
                    if self.age(task) > KEPT_SECONDS:
                        del tasks[arn]

    def stop_all(self, timeout: float) -> None:
        """End every process at once and wait for its thread."""
        runners = list(self._runners.values())
        for runner in runners:
            runner.stop(at_once=True)
        for runner in runners:
            runner.join(timeout)


def _interface(service: Any) -> dict[str, Any]:
    """The elastic network interface of an awsvpc task; its address is only a name here."""
    network = (service.network_configuration or {}).get("awsvpcConfiguration") or {}
    address = f"10.{random.randint(0, 255)}.{random.randint(0, 255)}.{random.randint(4, 254)}"  # noqa: S311
    details = {"subnetId": (network.get("subnets") or [""])[0], "privateIPv4Address": address}
    return {
        "id": f"eni-attach-{address}",
        "type": "ElasticNetworkInterface",
        "status": "ATTACHED",
        "details": [{"name": name, "value": value} for name, value in details.items()],
    }
