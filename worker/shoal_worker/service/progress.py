"""What the worker is doing, for ``GET /status``; written by one thread, read by others."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from shoal_worker.service.errors import LeaseLost, Stopped, VideoTimedOut

Progress = Callable[[int, int | None], None]


class Activity:
    """Counts of finished jobs and the current one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts = {"succeeded": 0, "failed": 0, "retried": 0, "released": 0, "predictions": 0}
        self._current: dict[str, Any] | None = None

    def count(self, name: str) -> None:
        with self._lock:
            self._counts[name] += 1

    def show(self, current: dict[str, Any] | None) -> None:
        with self._lock:
            self._current = current

    def update(self, **fields: object) -> None:
        with self._lock:
            if self._current is not None:
                self._current |= fields

    def snapshot(self) -> dict[str, Any]:
        """``{"counts": {...}, "current": {...} or None}``, a copy."""
        with self._lock:
            current = dict(self._current) if self._current is not None else None
            return {"counts": dict(self._counts), "current": current}


class Attempt:
    """One attempt at one video: its deadline, the order to stop, and its progress.

    :meth:`check` is called for every chunk downloaded and every frame tracked; there a video ends early.
    """

    def __init__(
        self,
        activity: Activity,
        stop: threading.Event,
        timeout_seconds: float,
        now: Callable[[], float] = time.monotonic,
        holds: Callable[[], bool] = lambda: True,
    ) -> None:
        self._activity, self._stop, self._now, self._holds = activity, stop, now, holds
        self._lost = False
        self._timeout = timeout_seconds
        self._phase = "start"
        self.started = now()
        self.deadline = self.started + timeout_seconds

    @property
    def seconds(self) -> float:
        return self._now() - self.started

    def check(self) -> None:
        """End the attempt when it must end.

        Raises:
            LeaseLost: the job is another attempt's now.
            Stopped: the worker was told to stop.
            VideoTimedOut: the deadline has passed.
        """
        if self._lost:
            raise LeaseLost("another attempt has this video now, or it was cancelled")
        if self._stop.is_set():
            raise Stopped("the worker was stopped; another one takes the video")
        if self._now() > self.deadline:
            raise VideoTimedOut(
                f"stopped in {self._phase} after TIMEOUT_HOURS={self._timeout / 3600:g}: raise timeout_hours "
                "(TimeoutHours), cut the video, or use a faster instance type"
            )

    def abandon(self) -> None:
        """Another thread knows that the job is ours no longer: the next check ends the attempt."""
        self._lost = True

    def confirm(self) -> None:
        """Ask the record itself, before something is written that cannot be taken back.

        Raises:
            LeaseLost: the job is another attempt's now.
            Transient: the record did not answer.
        """
        self._lost = self._lost or not self._holds()
        self.check()

    def phase(self, name: str) -> Progress:
        """Begin a phase; the answer, called with done and total, shows its progress and checks."""
        self._phase = name

        def tick(done: int, total: int | None) -> None:
            self.check()
            self._activity.update(phase=name, done=done, total=total)

        tick(0, None)
        return tick
