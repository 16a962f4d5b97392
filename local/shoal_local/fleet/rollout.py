"""A deployment of a service: the circuit breaker, the back-off, what may start and stop. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

BREAKER_MINIMUM = 3
BREAKER_MAXIMUM = 200


def breaker_threshold(desired: int, configuration: Mapping[str, Any] | None) -> int | None:
    """After how many consecutive failed tasks a deployment fails; None without a circuit breaker.

    ECS API DeploymentCircuitBreaker, thresholdConfiguration: COUNT is the number itself; BOUNDED_PERCENT
    (50 by default) of the desired count, 3 to 200; UNBOUNDED_PERCENT without these bounds.
    """
    breaker = (configuration or {}).get("deploymentCircuitBreaker") or {}
    if not breaker.get("enable"):
        return None
    threshold = breaker.get("thresholdConfiguration") or {}
    kind, value = threshold.get("type", "BOUNDED_PERCENT"), int(threshold.get("value", 50))
    if kind == "COUNT":
        return value
    share = max(1, math.ceil(desired * value / 100))
    return share if kind == "UNBOUNDED_PERCENT" else min(max(share, BREAKER_MINIMUM), BREAKER_MAXIMUM)


def backoff(failures: int, first: float, most: float) -> float:
    """Seconds before the next start after that many consecutive failures (ECS guide, "Service throttle
    logic")."""
    if failures <= 1:
        return 0.0
    return min(most, first * float(2 ** min(failures - 2, 30)))


@dataclass(frozen=True)
class Counts:
    """Tasks of one service. ``wanted``: its desired count; ``primary``: of the newest deployment, alive;
    ``older``: of the others, alive; ``healthy``, ``older_healthy``: those that run and pass their checks."""

    wanted: int
    primary: int
    older: int
    healthy: int
    older_healthy: int = 0


@dataclass(frozen=True)
class Moves:
    """Tasks to start of the primary deployment, to stop of the older ones, to stop of the primary."""

    start: int = 0
    stop_older: int = 0
    stop_primary: int = 0


def moves(counts: Counts, configuration: Mapping[str, Any] | None) -> Moves:
    """One step of a rolling update (ECS API DeploymentConfiguration: minimumHealthyPercent rounds up,
    maximumPercent down; 100 and 200 by default)."""
    given = configuration or {}
    least = math.ceil(counts.wanted * _number(given, "minimumHealthyPercent", 100) / 100)
    most = math.floor(counts.wanted * _number(given, "maximumPercent", 200) / 100)
    if counts.primary > counts.wanted:
        return Moves(stop_primary=counts.primary - counts.wanted, stop_older=counts.older)
    missing = counts.wanted - counts.primary
    room = most - counts.primary - counts.older if counts.older else missing
    start = max(0, min(missing, room))
    spare = max(0, min(counts.older_healthy, counts.healthy - least))
    return Moves(start=start, stop_older=counts.older - counts.older_healthy + spare)


def _number(given: Mapping[str, Any], name: str, default: int) -> int:
    value = given.get(name)
    return default if value is None else int(value)
