"""What a result took: frames, the speed of each stage, seconds, and USD at the instance's price."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

Item = TypeVar("Item")

PRICES = {"g4dn.xlarge": 0.526, "g5.xlarge": 1.006, "g6.xlarge": 0.8048}
"""USD an hour on demand in us-west-2, as published in November 2026; Spot costs less. SHOAL_USD_PER_HOUR
takes its place."""


class StageClock:
    """How long each stage of a run was busy. The stages run side by side, each in a thread of its own."""

    def __init__(self, now: Callable[[], float] = time.perf_counter) -> None:
        self._now, self._began = now, now()
        self._busy: dict[str, float] = {}
        self._waited: dict[str, float] = {}

    def busy(self, stage: str, items: Iterable[Item]) -> Iterator[Item]:
        """``items``, and the time that each took to make, but for what :meth:`waiting` counted meanwhile."""
        yield from self._counted(self._busy, stage, items)

    def waiting(self, stage: str, items: Iterable[Item]) -> Iterator[Item]:
        """``items`` that ``stage`` takes in: the time until each came is not its own."""
        yield from self._counted(self._waited, stage, items)

    @contextmanager
    def stage(self, stage: str) -> Iterator[None]:
        """The block is a piece of ``stage``'s work."""
        began = self._now()
        try:
            yield
        finally:
            self._busy[stage] = self._busy.get(stage, 0.0) + self._now() - began

    def receipt(self, frames: int, instance: str = "", price: float | None = None) -> dict[str, Any]:
        """``{"frames", "seconds", "fps", "stages": {stage: {"seconds", "fps"}}, "instance"?, "usd"?}``.

        ``price`` is USD an hour; None takes the list's, where ``instance`` is on it. ``usd`` pays for the
        whole instance while the video was worked on.
        """
        seconds = self._now() - self._began
        answer: dict[str, Any] = {
            "frames": frames, "seconds": round(seconds, 3), "fps": _rate(frames, seconds),
            "stages": {stage: self._stage(stage, frames) for stage in self._busy},
        }  # fmt: skip
        if instance:
            answer["instance"] = instance
        hourly = PRICES.get(instance) if price is None else price
        if hourly is not None:
            answer |= {"usd_per_hour": hourly, "usd": round(hourly * seconds / 3600, 6)}
        return answer

    def _stage(self, stage: str, frames: int) -> dict[str, float]:
        seconds = max(0.0, self._busy[stage] - self._waited.get(stage, 0.0))
        return {"seconds": round(seconds, 3), "fps": _rate(frames, seconds)}

    def _counted(self, where: dict[str, float], stage: str, items: Iterable[Item]) -> Iterator[Item]:
        where[stage] = where.get(stage, 0.0)
        source = iter(items)
        while True:
            began = self._now()
            try:
                item = next(source)
            except StopIteration:
                return
            finally:
                where[stage] += self._now() - began
            yield item


def _rate(frames: int, seconds: float) -> float:
    return round(frames / seconds, 2) if seconds > 0 else 0.0
