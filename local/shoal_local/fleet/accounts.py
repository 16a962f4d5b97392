"""What each deployment of a service has gone through: its failures, its pauses, its circuit breaker."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from shoal_local.fleet import events
from shoal_local.fleet.records import TaskRecord
from shoal_local.fleet.rollout import backoff, breaker_threshold
from shoal_local.fleet.simtime import SimTime
from shoal_local.fleet.times import FleetTimes


@dataclass
class _Account:
    """Consecutive failed tasks, consecutive ends of any kind, and when the next task may start."""

    failures: int = 0
    ends: int = 0
    next_start: float = 0.0


class Accounts:
    """One account per deployment id."""

    def __init__(self, time: SimTime, times: FleetTimes) -> None:
        self._time = time
        self._times = times
        self._accounts: dict[str, _Account] = {}

    def may_start(self, deployment_id: str) -> bool:
        return self._time.now() >= self._of(deployment_id).next_start

    def settled(self, deployment_id: str) -> None:
        """All its tasks are healthy: what was, is forgotten (ECS API, resetOnHealthyTask)."""
        self._accounts[deployment_id] = _Account()

    def ended(self, service: Any, task: TaskRecord) -> None:
        """A task is over. One that was told to stop, or whose host went, counts for nothing."""
        deployment = next((d for d in service.deployments if d["id"] == task.started_by), None)
        exited = task.stop_code == "EssentialContainerExited"
        failed = task.stop_code == "TaskFailedToStart" or (exited and task.container.exit_code != 0)
        if deployment is None or service.status != "ACTIVE":
            return
        if exited or failed or task.failed_health:
            self._pause(deployment["id"])
        if failed or task.failed_health:
            self._failed(service, deployment)

    def _of(self, deployment_id: str) -> _Account:
        return self._accounts.setdefault(deployment_id, _Account())

    def _pause(self, deployment_id: str) -> None:
        """A worker that ends again and again, even with 0, is started more and more seldom."""
        account = self._of(deployment_id)
        account.ends += 1
        pause = backoff(account.ends, self._times.backoff_first, self._times.backoff_most)
        account.next_start = self._time.now() + pause

    def _failed(self, service: Any, deployment: dict[str, Any]) -> None:
        account = self._of(deployment["id"])
        account.failures += 1
        deployment["failedTasks"] = account.failures
        if account.failures > 1:
            events.inconsistent(service)
        threshold = breaker_threshold(service.desired_count, service.deployment_configuration)
        reached = threshold is not None and account.failures >= threshold
        if reached and deployment["rolloutState"] == "IN_PROGRESS":
            _fail(service, deployment)


def _fail(service: Any, deployment: dict[str, Any]) -> None:
    """The circuit breaker opens; with ``rollback`` the last completed deployment is the primary one again."""
    reason = "ECS deployment circuit breaker: tasks failed to start."
    deployment.update(rolloutState="FAILED", rolloutStateReason=reason)
    events.deployment_failed(service, deployment["id"])
    breaker = (service.deployment_configuration or {}).get("deploymentCircuitBreaker") or {}
    before = next((d for d in service.deployments[1:] if d["rolloutState"] == "COMPLETED"), None)
    if not breaker.get("rollback") or before is None:
        return
    service.deployments.remove(before)
    service.deployments.insert(0, before)
    before.update(status="PRIMARY", rolloutState="IN_PROGRESS", desiredCount=service.desired_count)
    deployment["status"] = "ACTIVE"
    service.task_definition = before["taskDefinition"]
    events.rolled_back(service, before["id"])
