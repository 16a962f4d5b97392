"""The cloud's clock read as a time: seconds since the fleet began, as fast as the clock runs."""

from __future__ import annotations

import threading
import time

from shoal_local.clock import Clock


class SimTime:
    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.ended = threading.Event()
        self._began = time.monotonic()

    def now(self) -> float:
        return (time.monotonic() - self._began) * self.clock.speed

    def sleep(self, seconds: float) -> bool:
        """Wait that long on the clock; True when the fleet ended meanwhile."""
        return self.clock.sleep(seconds, self.ended)
