"""The fleet: one thread that plays ECS, managed scaling and Auto Scaling over moto's state."""

from __future__ import annotations

import logging
import shutil
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from shoal_local.balancer.balancer import Balancer
from shoal_local.fleet import launching
from shoal_local.fleet.agent import Agent
from shoal_local.fleet.cloud import CloudFace
from shoal_local.fleet.image import DEFAULT_ENTRYPOINT
from shoal_local.fleet.instances import Instances
from shoal_local.fleet.records import TaskRecord
from shoal_local.fleet.scheduler import Scheduler
from shoal_local.fleet.simtime import SimTime
from shoal_local.fleet.spot import Notices
from shoal_local.fleet.targets import ADDRESSES
from shoal_local.fleet.tasks import Tasks
from shoal_local.fleet.times import FleetTimes
from shoal_local.names import backend
from shoal_local.strict.engine import LOCK
from shoal_local.strict.slow import PACE

_LOG = logging.getLogger("shoal_local.fleet")
_JOIN_SECONDS = 5.0


class Fleet:
    """``start()``, then ``stop()``. ``faults`` may come at any time; ``folder`` holds the tasks' files."""

    def __init__(
        self,
        cloud: CloudFace,
        entrypoint: Sequence[str] = DEFAULT_ENTRYPOINT,
        times: FleetTimes | None = None,
    ) -> None:
        self.faults = cloud.faults.fleet
        self.folder = Path(tempfile.mkdtemp(prefix="shoal-fleet-"))
        self._times = times or FleetTimes()
        self._time = SimTime(cloud.clock)
        self._notices = Notices()
        self._agent = Agent(cloud, self._notices)
        self._tasks = Tasks(cloud, self._agent, self._time, self._times, self.faults, self.folder, entrypoint)
        self._scheduler = Scheduler(self._tasks, self._time, self._times, self.faults)
        self._instances = Instances(cloud, self._time, self._times, self._notices, self._scheduler.lost)
        self.balancer = Balancer(self._time, cloud.stand_ins)
        self._thread = threading.Thread(target=self._run, name="shoal-fleet", daemon=True)

    @property
    def agent_url(self) -> str:
        """Where tasks ask for credentials, metadata and protection."""
        return self._agent.url

    def start(self) -> None:
        PACE.speed = self._time.clock.speed
        PACE.holds.append(self._scheduler.holds)
        launching.install(self.faults)
        self._agent.start()
        self.balancer.start()
        self._thread.start()

    def interrupt(self, instance_id: str) -> None:
        """EC2 takes a Spot instance back: its notice now, its end two minutes later.

        Raises:
            LookupError: there is no such Spot instance.
        """
        with LOCK:
            self._notices.give(instance_id, self._time.now())

    def stop(self) -> None:
        """End the loop, the balancer, every process and thread, and remove the tasks' files. A second call
        is free."""
        if self._time.ended.is_set():
            return
        self._time.ended.set()
        self._thread.join(_JOIN_SECONDS)
        self.balancer.stop()
        self._tasks.stop_all(_JOIN_SECONDS)
        self._instances.join(_JOIN_SECONDS)
        self._agent.stop()
        launching.uninstall()
        PACE.holds.remove(self._scheduler.holds)
        PACE.speed = 1.0
        ADDRESSES.clear()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _run(self) -> None:
        while not self._time.ended.wait(self._times.real_tick):
            try:
                self.step()
            except Exception:  # noqa: BLE001 - a supervisor: one broken pass must not end the fleet
                _LOG.exception("a pass of the fleet failed; it tries again")

    def step(self) -> None:
        """One pass over everything."""
        with LOCK:
            self._instances.step(self._unstopped)
            for service in list(backend("ecs").services.values()):
                self._prepare(service)
                self._scheduler.step(service)
            self._tasks.forget_old()

    def _unstopped(self, cluster: str) -> list[TaskRecord]:
        return [task for task in self._tasks.of_cluster(cluster) if task.last_status != "STOPPED"]

    @staticmethod
    def _prepare(service: Any) -> None:
        """A service made by CloudFormation has not passed the rules that keep what moto drops."""
        for name in (
            "capacity_provider_strategy",
            "deployment_configuration",
            "health_check_grace_period_seconds",
        ):
            if not hasattr(service, name):
                setattr(service, name, None)
