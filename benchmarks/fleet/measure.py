"""Runs of one case, and what is read from them."""

from __future__ import annotations

import random
import statistics
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.fleet.inputs import FLEETS, VIDEO_FRAMES, Inputs, Machine
from benchmarks.fleet.world import Policy, World

REPEATS = {1: 200, 10: 100, 1_000: 3, 100_000: 1}
MakePolicy = Callable[[Inputs], Policy]


@dataclass(frozen=True)
class Figures:
    """Means over the runs, except where said."""

    first_frame_minutes: float
    first_frame_worst: float
    makespan_hours: float
    tail_minutes: float
    tail_worst: float
    usd_per_video: float
    bound_usd: float
    idle_hours: float
    lost: int
    twice: int


def measure(videos: int, machine: Machine, spot: bool, make: MakePolicy, inputs: Inputs) -> Figures:
    """The figures of one case; the seeds are fixed, so that the same call gives the same figures."""
    runs = [_run(videos, machine, spot, make, inputs, seed) for seed in range(REPEATS[videos])]
    price = _price(machine, spot, inputs)
    return Figures(
        first_frame_minutes=statistics.fmean(run.first_frame / 60 for run in runs),
        first_frame_worst=max(run.first_frame / 60 for run in runs),
        makespan_hours=statistics.fmean(run.last_done / 3600 for run in runs),
        tail_minutes=statistics.fmean((run.ended - run.last_done) / 60 for run in runs),
        tail_worst=max((run.ended - run.last_done) / 60 for run in runs),
        usd_per_video=statistics.fmean(run.billed / 3600 * price / len(run.done) for run in runs),
        bound_usd=VIDEO_FRAMES / machine.frames_per_second / 3600 * price,
        idle_hours=statistics.fmean((run.billed - run.worked) / 3600 for run in runs),
        lost=max(run.lost + run.unfinished() for run in runs),
        twice=max(run.twice for run in runs),
    )


def _run(videos: int, machine: Machine, spot: bool, make: MakePolicy, inputs: Inputs, seed: int) -> World:
    world = World(videos, FLEETS[videos], machine, spot, make(inputs), inputs, random.Random(seed))
    world.run()
    return world


def _price(machine: Machine, spot: bool, inputs: Inputs) -> float:
    return (machine.spot if spot else machine.on_demand) + inputs.volume
