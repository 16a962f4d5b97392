"""Pure policy: how many workers a deployment should have. Reconciler and simulator run this same code.

Work is hours of footage over the speed that was measured for the model, so that thirty clips of ten seconds
wake one worker and ten dives of an hour wake ten.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

TYPICAL_VIDEO_HOURS = 1.0
"""What a waiting video counts whose length is not known yet."""
TYPICAL_SPEED = 1.0
"""Hours of footage in an hour of a worker, before the first video was measured (30 fps on a T4)."""
SHARE_HOURS = 0.25
"""The work worth waking a worker for: its five minutes of start and idling are then a third of it."""
START_HOURS = 0.06
"""From waking to the first frame, with the image on the instance."""
TAIL_HOURS = 0.03
IDLE_SECONDS = 45.0
"""How long a worker must have been without a video; the pass after that lets it go, each minute."""


@dataclass(frozen=True)
class Load:
    """What one pass sees of a fleet.

    ``visible`` and ``in_flight`` are videos, ``current`` the count that is wanted now, ``footage_hours`` the
    length of the visible ones (None: not known), ``speed`` hours of footage in an hour of one worker,
    ``waited_hours`` the age of the oldest visible video, ``surplus_seconds`` for how long there have been
    more workers than videos, ``spent_usd`` what the fleet has cost so far.
    """

    visible: int
    in_flight: int
    current: int
    footage_hours: float | None = None
    speed: float = TYPICAL_SPEED
    waited_hours: float = 0.0
    surplus_seconds: float = 0.0
    spent_usd: float = 0.0


@dataclass(frozen=True)
class Limits:
    """What a person allows: ``minimum`` is what an endpoint needs, ``price`` USD an hour for one worker."""

    fleet_size: int
    minimum: int = 0
    deadline_hours: float | None = None
    budget_usd: float | None = None
    price: float = 0.0


@dataclass(frozen=True)
class Decision:
    """The count, and why it is not larger or smaller: one sentence for the status and the log."""

    count: int
    reason: str
    stopped: bool = False
    """The budget allows no further video."""


def decide(load: Load, limits: Limits) -> Decision:
    """The number of workers wanted.

    Never below the videos in flight (of those that had a worker), never above ``fleet_size`` unless it was so
    already. With videos waiting the count only rises. Workers without one are let go after their idle time:
    the busy ones are protected from scale-in, so that ECS stops an idle one.
    """
    most = max(load.current, limits.fleet_size)
    floor = min(max(load.in_flight, limits.minimum), most)
    if load.visible == 0:
        return _without_waiting(load, floor)
    wanted, why = _for_backlog(load, limits)
    affordable = _affordable(load, limits)
    if affordable < wanted and affordable <= load.in_flight:
        return hold(load, limits)
    if affordable < wanted:
        wanted, why = affordable, f"the budget of {limits.budget_usd:g} USD allows {affordable}"
    if limits.fleet_size < wanted:
        wanted, why = limits.fleet_size, f"{why}; the fleet size is {limits.fleet_size}"
    return Decision(max(floor, min(load.current, most), wanted), why)


def hold(load: Load, limits: Limits) -> Decision:
    """What is in flight is finished, nothing else begins: a fleet that its budget has stopped."""
    floor = min(max(load.in_flight, limits.minimum), max(load.current, limits.fleet_size))
    return Decision(floor, _stop_at(limits), stopped=True)


def surplus(load: Load) -> bool:
    """Whether there are more workers than videos; the caller keeps since when."""
    return load.visible == 0 and load.current > load.in_flight


def _without_waiting(load: Load, floor: int) -> Decision:
    if load.current <= floor:
        return Decision(floor, "no video waits")
    if load.surplus_seconds < IDLE_SECONDS:
        return Decision(load.current, "no video waits; the idle workers have their idle time")
    return Decision(floor, "no video waits and the idle time is over")


def _for_backlog(load: Load, limits: Limits) -> tuple[int, str]:
    """Workers for everything that is not done, at most one for each video; a video in flight counts half."""
    each = load.footage_hours / load.visible if load.footage_hours is not None else TYPICAL_VIDEO_HOURS
    work = each * (load.visible + load.in_flight / 2) / max(load.speed, 1e-6)
    share, why = SHARE_HOURS, f"{work:.2f} hours of work wait"
    if limits.deadline_hours is not None:
        share = max(limits.deadline_hours - load.waited_hours - START_HOURS, 1e-6)
        why = f"{why}, due in {max(0.0, limits.deadline_hours - load.waited_hours):.2f} hours"
    videos = load.visible + load.in_flight
    return max(1, min(videos, math.ceil(min(work / share, videos)))), why


def _stop_at(limits: Limits) -> str:
    """The same sentence at every pass: it is told when it changes."""
    return (
        f"stop at {limits.budget_usd:g} USD: another video would go beyond the budget; "
        "raise budget_usd to go on"
    )


def _affordable(load: Load, limits: Limits) -> int:
    """Workers that the rest of the budget pays: those in flight finish, a new one starts, works and idles."""
    if limits.budget_usd is None or limits.price <= 0:
        return load.visible + load.in_flight
    each = load.footage_hours / load.visible if load.footage_hours is not None else TYPICAL_VIDEO_HOURS
    video = each / max(load.speed, 1e-6)
    hours = (limits.budget_usd - load.spent_usd) / limits.price - load.in_flight * video / 2
    return load.in_flight + int(max(0.0, min(hours / (START_HOURS + TAIL_HOURS + video), load.visible)))
