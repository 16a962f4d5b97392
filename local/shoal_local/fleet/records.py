"""A task and its container as ECS describes them; they stand in moto's table of tasks.

The names are those of the ECS API in snake case: moto's serializer reads them off.
"""

from __future__ import annotations

import datetime
import threading
import uuid
from dataclasses import dataclass, field
from typing import Any

from shoal_local.fleet.placement import Resources
from shoal_local.names import arn

LIVE = frozenset({"PROVISIONING", "PENDING", "ACTIVATING", "RUNNING"})


def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


@dataclass(eq=False)
class ContainerRecord:
    name: str
    image: str
    task_arn: str
    container_arn: str
    last_status: str = "PENDING"
    exit_code: int | None = None
    reason: str | None = None
    health_status: str = "UNKNOWN"
    network_bindings: list[dict[str, Any]] = field(default_factory=list)
    network_interfaces: list[dict[str, Any]] = field(default_factory=list)
    gpu_ids: list[str] = field(default_factory=list)
    runtime_id: str = ""


@dataclass(eq=False)
class TaskRecord:
    """One task. The runner's thread writes its progress, the scheduler reads it."""

    cluster_name: str
    cluster_arn: str
    task_definition_arn: str
    group: str
    started_by: str
    launch_type: str
    capacity_provider_name: str | None
    tags: list[dict[str, str]]
    needs: Resources
    cpu: str
    memory: str
    task_arn: str = ""
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    desired_status: str = "RUNNING"
    last_status: str = "PROVISIONING"
    health_status: str = "UNKNOWN"
    stopped_reason: str = ""
    stop_code: str | None = None
    container_instance_arn: str | None = None
    created_at: datetime.datetime = field(default_factory=now)
    started_at: datetime.datetime | None = None
    stopping_at: datetime.datetime | None = None
    stopped_at: datetime.datetime | None = None
    protection_expires: datetime.datetime | None = None
    containers: list[ContainerRecord] = field(default_factory=list)
    attachments: list[dict[str, Any]] = field(default_factory=list)
    attributes: list[dict[str, str]] = field(default_factory=list)
    overrides: dict[str, Any] = field(default_factory=dict)
    connectivity: str = "CONNECTED"
    platform_version: str | None = None
    resource_requirements: dict[str, Any] | None = None
    region_name: str = ""
    host_port: int = 0
    targets: list[tuple[str, str, int]] = field(default_factory=list)
    """Where it is registered: (target group ARN, target id, port)."""
    failed_health: bool = False
    """Stopped because a health check failed."""
    counted: bool = False
    """Whether its end has been put to its deployment's account."""

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self.task_arn = self.task_arn or arn("ecs", f"task/{self.cluster_name}/{self.id}")

    @property
    def container(self) -> ContainerRecord:
        return self.containers[0]

    @property
    def status(self) -> str:
        """moto's own name of a task's last status."""
        return self.last_status

    @property
    def alive(self) -> bool:
        """Counts for its service: neither stopped nor told to stop."""
        return self.last_status in LIVE and self.desired_status == "RUNNING"

    def move(self, status: str) -> None:
        """The next status; nothing leaves STOPPED, whichever thread comes late."""
        with self._lock:
            if self.last_status != "STOPPED":
                self.last_status = status

    def advance(self) -> None:
        """moto calls this on a describe, to move its own simulated tasks on: these move by themselves."""

    def stop(self, code: str, reason: str) -> None:
        """Ask for its end; the first reason stays."""
        if self.desired_status == "STOPPED":
            return
        self.desired_status, self.stop_code, self.stopped_reason = "STOPPED", code, reason
        self.stopping_at = now()
