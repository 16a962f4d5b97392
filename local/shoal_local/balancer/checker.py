"""Real health checks of every target that a load balancer routes to."""

from __future__ import annotations

import http.client
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from shoal_local.balancer.health import Check, Health, Outcome, after, check_of
from shoal_local.fleet.simtime import SimTime
from shoal_local.fleet.targets import ADDRESSES
from shoal_local.names import HOST

_WORKERS = 8
_LEAST_REAL_INTERVAL = 0.2
"""However fast the clock: real workers answer."""


@dataclass
class _Watched:
    health: Health = field(default_factory=Health)
    due: float = 0.0
    running: Future[Outcome] | None = None
    draining_since: float | None = None


class Checker:
    """:meth:`step` looks at moto's target groups under the lock of its state; the checks run beside it."""

    def __init__(self, time: SimTime) -> None:
        self._time = time
        self._pool = ThreadPoolExecutor(_WORKERS, thread_name_prefix="shoal-health")
        self._watched: dict[tuple[str, str], _Watched] = {}

    def stop(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def step(self, groups: list[Any]) -> None:
        seen = {(group.arn, key) for group in groups for key in group.targets}
        self._watched = {name: watched for name, watched in self._watched.items() if name in seen}
        for group in groups:
            for key, target in list(group.targets.items()):
                watched = self._watched.setdefault((group.arn, key), _Watched())
                if target["Health"]["State"] == "draining":
                    self._drain(group, key, watched)
                elif group.load_balancer_arns:
                    self._look(group, target, watched)

    def _drain(self, group: Any, key: str, watched: _Watched) -> None:
        """A deregistered target goes when its deregistration delay is over; at once when nothing routes to
        it."""
        if watched.draining_since is None:
            watched.draining_since = self._time.now()
        delay = float(group.attributes["deregistration_delay.timeout_seconds"])
        if not group.load_balancer_arns or self._time.now() - watched.draining_since >= delay:
            del group.targets[key]

    def _look(self, group: Any, target: dict[str, Any], watched: _Watched) -> None:
        check = check_of(group)
        if (
            watched.draining_since is not None
            or target["Health"]["State"] == "initial" != watched.health.state
        ):
            watched.health, watched.draining_since, watched.due = Health(), None, 0.0
        if watched.running is not None and watched.running.done():
            watched.health = after(watched.health, check, watched.running.result())
            watched.running = None
        if watched.running is None and self._time.now() >= watched.due:
            least = _LEAST_REAL_INTERVAL * self._time.clock.speed
            watched.due = self._time.now() + max(check.interval, least)
            watched.running = self._pool.submit(_try, _port(target, check), check)
        target["Health"] = watched.health.told()


def _port(target: dict[str, Any], check: Check) -> int:
    port = int(target["Port"])
    return check.port or ADDRESSES.get((target["Id"], port), port)


def _try(port: int, check: Check) -> Outcome:
    """GET the path. The timeout is real: a real process answers."""
    connection = http.client.HTTPConnection(HOST, port, timeout=check.timeout)
    try:
        connection.request(
            "GET", check.path, headers={"User-Agent": "ELB-HealthChecker/2.0", "Connection": "close"}
        )
        return Outcome(status=connection.getresponse().status)
    except TimeoutError:
        return Outcome(trouble="timeout")
    except (OSError, http.client.HTTPException):
        return Outcome(trouble="refused")
    finally:
        connection.close()
