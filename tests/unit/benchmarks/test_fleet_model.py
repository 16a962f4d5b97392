"""The simulated fleets: nothing is lost, the bill adds up, and the claims of the README hold."""

from __future__ import annotations

import dataclasses
import random
from typing import Any

import pytest

from benchmarks.fleet.chart import draw
from benchmarks.fleet.inputs import BASIS, FLEETS, MACHINES, Inputs
from benchmarks.fleet.measure import Figures, measure
from benchmarks.fleet.policies import AlarmsAndProvider, Ancestor, Shoal
from benchmarks.fleet.world import World

G4DN = MACHINES[0]
CALM = Inputs(failure=0, transfer=0)


def ran(videos: int, fleet: int, system: type = Shoal, inputs: Inputs = CALM, spot: bool = False) -> World:
    world = World(videos, fleet, G4DN, spot, system(inputs), inputs, random.Random(1))
    world.run()
    return world


def test_one_video_is_billed_from_launch_to_end() -> None:
    # When
    world = ran(1, 1)
    # Then: 3 s to wake, 155 s to start, an hour, the tail
    assert world.first_frame == pytest.approx(158)
    assert world.last_done == pytest.approx(158 + 3600)
    assert world.billed == pytest.approx(world.ended - 3)
    assert world.worked == 3600


@pytest.mark.parametrize("system", [Shoal, AlarmsAndProvider, Ancestor])
@pytest.mark.parametrize("spot", [False, True])
def test_every_video_is_done_once_whatever_is_interrupted(system: type, spot: bool) -> None:
    # Given a bad day: one attempt in five fails, each instance lives for about two hours
    stormy = Inputs(failure=0.2, interruptions=0.5)
    # When
    world = ran(60, 10, system, stormy, spot)
    # Then
    assert (len(world.done), world.lost, world.twice) == (60, 0, 0)
    assert (world.instances, world.in_flight, list(world.waiting)) == ([], 0, [])
    assert world.billed >= world.worked


def test_a_queue_that_forgets_loses_what_waits_too_long() -> None:
    inputs = dataclasses.replace(CALM, ancestor_retention=3 * 3600)
    world = ran(10, 1, Ancestor, inputs)
    assert world.lost > 0
    assert world.lost + len(world.done) == 10


def test_clips_do_not_wake_a_worker_each() -> None:
    fast = dataclasses.replace(G4DN, frames_per_second=108_000 / 60)  # an hour of footage in a minute
    world = World(30, 30, fast, False, Shoal(CALM), CALM, random.Random(1))
    world.at(200, lambda: seen.append(len(world.instances)))
    seen: list[int] = []
    world.run()
    assert seen == [2]
    assert len(world.done) == 30


@pytest.mark.parametrize("machine", MACHINES, ids=lambda one: one.name)
def test_the_claims(machine: Any) -> None:
    inputs = Inputs()

    def figures(videos: int, system: Any) -> Figures:
        return measure(videos, machine, False, system, inputs)

    one, ten, thousand = (figures(videos, Shoal) for videos in (1, 10, 1_000))
    assert max(one.first_frame_worst, ten.first_frame_worst, thousand.first_frame_worst) <= 3.5
    assert max(one.tail_worst, ten.tail_worst, thousand.tail_worst) <= 2
    assert ten.usd_per_video <= 0.27 * figures(10, Ancestor).usd_per_video
    assert thousand.usd_per_video <= 1.05 * thousand.bound_usd
    assert 13 <= figures(1, Ancestor).first_frame_minutes <= 15


def test_every_input_says_where_it_comes_from() -> None:
    assert {field.name for field in dataclasses.fields(Inputs)} == set(BASIS)


def test_the_picture_shows_every_system() -> None:
    shown = Figures(2.6, 2.6, 1, 1.4, 1.9, 0.58, 0.537, 0, 0, 0)
    names = ("shoal, image on the AMI", "shoal, stock AMI", "alarms and capacity provider", "ancestor")
    picture = draw({(videos, G4DN, False, name): shown for videos in FLEETS for name in names})
    assert picture.startswith("<svg")
    assert all(f">{name}<" in picture for name in names)
