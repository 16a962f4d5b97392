"""Threads one at a time, taken off where a schedule says so."""

from __future__ import annotations

import pytest
from faults import races
from faults.forks import forked
from faults.interleave import FUNCTION_SECONDS, Schedule, Scheduler, one_preemption
from faults.kinds import FunctionDied
from faults.races import RACES
from faults.world import World


def told(schedule: Schedule, steps: int = 3) -> tuple[str, list[int]]:
    """What two threads of ``steps`` points each write, one letter before each point."""
    scheduler, written = Scheduler(schedule), list[str]()

    def writes(letter: str) -> None:
        for _ in range(steps):
            written.append(letter)
            scheduler.point()

    scheduler.spawn(lambda: writes("a"))
    scheduler.spawn(lambda: writes("b"))
    scheduler.run()
    return "".join(written), scheduler.choices


@pytest.mark.parametrize(
    ("schedule", "written"),
    [
        ((), "aaabbb"),
        (((0, 0),), "abbbaa"),
        (((2, 0),), "aaabbb"),
        (((1, 0), (2, 0)), "aababb"),
    ],
)
def test_a_schedule_decides_who_goes_on(schedule: Schedule, written: str) -> None:
    first, _ = told(schedule)
    assert sorted(first) == sorted("aaabbb")
    assert first == written


def test_each_point_with_somebody_else_is_a_schedule() -> None:
    _, choices = told(())
    assert choices == [1, 1, 1, 0, 0, 0]
    assert one_preemption(choices) == [((0, 0),), ((1, 0),), ((2, 0),)]


def test_a_function_that_stood_longer_than_its_timeout_is_dead() -> None:
    now, died = [0.0], list[bool]()
    scheduler = Scheduler(((0, 0),), lambda: now[0])

    def slow() -> None:
        try:
            scheduler.point()
        except FunctionDied:
            died.append(True)

    def passes() -> None:
        now[0] += FUNCTION_SECONDS + 1

    scheduler.spawn(slow)
    scheduler.spawn(passes)
    scheduler.run()
    assert died == [True]


def test_a_thread_that_breaks_is_told() -> None:
    scheduler = Scheduler()
    scheduler.spawn(lambda: [].pop())
    with pytest.raises(AssertionError, match="IndexError"):
        scheduler.run()


@pytest.mark.parametrize(
    "plan",
    [
        "race:other-body@",
        *(
            pytest.param(f"race:{plan}", marks=pytest.mark.long)
            for plan in ("delete-during-deploy@12.0", "two-for-a-port@18.0", "two-rollbacks@40.0")
        ),
    ],
)
def test_whoever_is_faster(warm: World, plan: str) -> None:
    race, schedule = races.read(plan)
    verdict = forked(lambda: races.run(warm, race, schedule).verdict)
    assert (verdict.plan, verdict.wrong) == (plan, ())
    assert race is RACES[race.name]
