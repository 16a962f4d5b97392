"""One clock for everything that waits: how much faster than real time the embedded cloud runs."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Clock:
    """``speed`` 10 makes a simulated minute last six real seconds.

    Step Functions' Wait and Retry, schedules and the fleet's delays use it. Lambda timeouts and the
    visibility timeout of queues do not: real processes do real work behind them.
    """

    speed: float = 1.0

    def __post_init__(self) -> None:
        if self.speed <= 0:
            raise ValueError(
                f"the clock's speed must be above 0, not {self.speed}: 1 is real time, 10 ten times as fast"
            )

    def seconds(self, simulated: float) -> float:
        """Real seconds that ``simulated`` seconds last; never below 0."""
        return max(0.0, simulated) / self.speed

    def sleep(self, simulated: float, wake: threading.Event | None = None) -> bool:
        """Wait that long, or until ``wake`` is set; True when it was set."""
        if wake is None:
            time.sleep(self.seconds(simulated))
            return False
        return wake.wait(self.seconds(simulated))
