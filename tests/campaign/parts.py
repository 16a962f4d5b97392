"""The parts of the campaign: what is done under which faults. Each runs in processes forked off one world."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random

import pytest
from campaign.bugs import BUGS, WITHOUT_FAULTS, Bug
from campaign.crowd import run as run_crowd
from campaign.life import EXAMPLES
from campaign.life import run as run_life
from campaign.sampling import FULL, SECOND, SEED, WHOLE, first_failures, lot, one_of, seconds, single, some
from faults import cases, explore, scenarios
from faults.cases import Verdict
from faults.explore import Level
from faults.forks import CaseFailed, Claims, forked, shared_out
from faults.interleave import Schedule, one_preemption
from faults.known import Known
from faults.plans import Plan, parse
from faults.races import RACES, Race, Raced, spelled
from faults.races import read as read_race
from faults.races import run as run_race
from faults.world import World, workers

_PART_SECONDS = 4 * 3600
PAIRS = 500 if FULL else 101 if WHOLE else 20
"""Schedules with two preemptions for each race."""
_ONCE = 1.0 if WHOLE else 0.4
"""The share of the schedules with one."""
_MARGIN = 1.3
"""Sampling by lot draws about as many as asked for; this much more makes it at least as many."""


@dataclass(frozen=True)
class Part:
    """``title`` for a person; ``run`` answers every verdict."""

    title: str
    run: Callable[[World], list[Verdict]]


def singles(name: str, after: str = "", share: float = 1.0, whole: float = 1.0) -> Part:
    """Every call and every function of a scenario, every kind; or a share of them, from a function on.

    ``whole``: the share of a run that takes longer than a quarter of an hour; ``FULL=1`` takes all.
    """
    wanted = 1.0 if FULL else whole if WHOLE else share
    level = Level(single if wanted == 1.0 else some(single, wanted), after)
    return Part(f"single faults, {name}", lambda world: _explored(world, name, lambda _: (level,)))


def doubles_in_rollback() -> Part:
    """A first fault makes the deployment fail, a second one meets its rollback."""

    levels = (Level(first_failures(*_FIRSTS)), Level(seconds(*_SECONDS), after="rollback"))
    return Part(
        "double faults, the second in the rollback",
        lambda world: _explored(world, "deploy", lambda _: levels),
    )


def doubles(name: str, wanted: int) -> Part:
    """Two faults anywhere in a scenario."""

    def levels(calls: int) -> tuple[Level, ...]:
        pairs = calls * calls / 2 * len(SECOND) ** 2
        firsts = min(1.0, 40 / (calls * len(SECOND)))
        share = min(1.0, _MARGIN * wanted / (pairs * firsts))
        return (Level(one_of(SECOND, firsts)), Level(one_of(SECOND, share)))

    return Part(f"double faults, {name}", lambda world: _explored(world, name, levels))


_FIRSTS = (1.0, 1.0) if FULL else (0.5, 0.25)
_SECONDS = (0.25, 0.05) if FULL else (0.03, 0.0035)
"""A rollback makes some 50 calls after a fault that is over, and hundreds under one that lasts."""


def _explored(world: World, name: str, levels: Callable[[int], tuple[Level, ...]]) -> list[Verdict]:
    def work() -> list[Verdict]:
        stage, golden = explore.prepared(world, scenarios.SCENARIOS[name])
        made = levels(len(golden.calls))
        return explore.explore(stage, golden, made, workers())

    found: list[Verdict] = forked(work, _PART_SECONDS)
    return found


def replay(world: World, text: str) -> Verdict:
    """One plan from its beginning.

    Raises:
        ValueError: it is not spelled as a plan.
    """
    if text.startswith("race:"):
        race, schedule = read_race(text)
        raced: Verdict = forked(lambda: run_race(world, race, schedule).verdict)
        return raced
    plan = parse(text)

    account = forked(lambda: _golden(world, plan.scenario))
    found: Verdict = forked(lambda: cases.run(world, plan, account))
    return found


def shortest(world: World, verdict: Verdict) -> str:
    """The command of the fewest faults, or preemptions, of a failed case that still break the promise."""
    if verdict.plan.startswith("race:"):
        broken = (one for one in _calmer(verdict.plan) if replay(world, one).wrong)
        return f"make campaign PLAN='{next(broken, verdict.plan)}'"
    if verdict.plan in {"life", f"crowd:{SEED}"}:
        return f"make campaign PART='{'a life' if verdict.plan == 'life' else 'fifty'}' SEED={SEED}"
    plan = parse(verdict.plan)
    for count in range(1, len(plan.faults)):
        for smaller in _parts_of(plan, count):
            if replay(world, str(smaller)).wrong:
                return smaller.command
    return plan.command


def _calmer(plan: str) -> list[str]:
    """The same race without a preemption, and with each of its own alone."""
    race, schedule = read_race(plan)
    return [spelled(race, one) for one in ((), *((point,) for point in schedule))]


def _parts_of(plan: Plan, count: int) -> Iterator[Plan]:
    for start in range(len(plan.faults) - count + 1):
        yield Plan(plan.scenario, plan.faults[start : start + count])


def races() -> Part:
    """Every schedule with one preemption, or a share of them, and a sample with two."""
    return Part("interleavings", _raced)


def _raced(world: World) -> list[Verdict]:
    found: list[Verdict] = []
    choices: dict[str, list[int]] = {}
    for race in RACES.values():
        plain: Raced = forked(functools.partial(run_race, world, race, ()))
        choices[race.name] = plain.choices
        found.append(plain.verdict)
    once = [(race, one) for race in RACES.values() for one in one_preemption(choices[race.name])]
    once = [(race, one) for race, one in once if lot(spelled(race, one)) < _ONCE]
    twice = [(race, _two(race.name, choices[race.name], n)) for race in RACES.values() for n in range(PAIRS)]
    return found + _spread(world, [*once, *dict.fromkeys(twice)])


def _two(name: str, choices: list[int], number: int) -> Schedule:
    """A schedule with two preemptions, by lot."""
    random = Random(f"{SEED} {name} {number}")
    possible = [point for point, others in enumerate(choices) if others]
    points = sorted(random.sample(possible, 2))
    return tuple((point, random.randrange(max(choices))) for point in points)


def _spread(world: World, cases: list[tuple[Race, Schedule]]) -> list[Verdict]:
    """The cases over the workers, each in a fork of its own."""

    def work(shared: Claims) -> list[Verdict]:
        known: Known = {}
        verdicts = []
        for race, schedule in (case for number, case in enumerate(cases) if shared.take(number)):
            raced: Raced = forked(functools.partial(run_race, world, race, schedule, known))
            known |= raced.learned
            verdicts.append(raced.verdict)
        return verdicts

    return sorted(shared_out(work, workers(), _PART_SECONDS), key=lambda verdict: verdict.plan)


def crowd() -> Part:
    """Fifty deployments at once."""
    return Part("fifty at once", lambda world: [forked(lambda: run_crowd(world, SEED), _PART_SECONDS)])


def life() -> Part:
    """What hypothesis draws."""
    return Part("a life under faults", _lived)


def _lived(world: World) -> list[Verdict]:
    try:
        forked(functools.partial(run_life, world), _PART_SECONDS)
    except CaseFailed as error:
        return [Verdict("life", "BROKEN", (str(error),))]
    return [Verdict("life", "DELETED") for _ in range(EXAMPLES)]


@dataclass(frozen=True)
class Caught:
    """``plan`` is the first that showed the bug; empty when none did."""

    bug: str
    plan: str
    how: str


def hunt(world: World) -> list[Caught]:
    """Plant each bug and try its plans until one shows it."""
    plans = [plan for bug in BUGS for plan in (*WITHOUT_FAULTS, *bug.plans) if not plan.startswith("race:")]
    needed = sorted({parse(plan).scenario for plan in plans})
    goldens = {name: forked(functools.partial(_golden, world, name)) for name in needed}

    def work(shared: Claims) -> list[Caught]:
        return [_hunted(world, bug, goldens) for number, bug in enumerate(BUGS) if shared.take(number)]

    return sorted(shared_out(work, workers(), _PART_SECONDS), key=lambda caught: caught.bug)


def _hunted(world: World, bug: Bug, goldens: dict[str, str]) -> Caught:
    for plan in (*WITHOUT_FAULTS, *bug.plans):
        try:
            verdict = forked(functools.partial(_planted, world, bug, plan, goldens))
        except CaseFailed as error:
            return Caught(bug.name, plan, str(error).strip().splitlines()[-1])
        if verdict.wrong:
            return Caught(bug.name, plan, verdict.wrong[0])
    return Caught(bug.name, "", "")


def _planted(world: World, bug: Bug, text: str, goldens: dict[str, str]) -> Verdict:
    with pytest.MonkeyPatch.context() as patch:
        bug.plant(patch)
        if text.startswith("race:"):
            return run_race(world, *read_race(text)).verdict
        plan = parse(text)
        verdict = cases.run(world, plan, goldens[plan.scenario])
        expected = EXPECTED.get(text, verdict.outcome)
        if verdict.outcome != expected and not verdict.wrong:
            return dataclasses.replace(verdict, wrong=(f"{verdict.outcome}, not {expected}",))
        return verdict


EXPECTED = {"deploy": "READY", "delete": "DELETED", "rollback": "FAILED"}


def _golden(world: World, name: str) -> str:
    return explore.prepared(world, scenarios.SCENARIOS[name])[1].account
