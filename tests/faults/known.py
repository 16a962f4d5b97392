"""What is known of where a run may come to: how it ends from there, and what it calls until then.

A mark is the function that is entered, its payload, the account and how many executions wait. Two runs that
come to the same mark, and meet no fault after it or the same lasting ones, end alike: what one taught, the
other need not run. Left out of a mark are the texts of reasons, on which nothing is decided, and how many
passes a teardown had.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from faults.injector import Call
from faults.machines import Answer
from faults.world import World

_APART = frozenset({"recovery", "fleet_reconciler"})
"""Called from outside of an execution, a number of times: what follows depends on how often they were."""


@dataclass(frozen=True)
class Future:
    """How a run ended that met no fault after a mark, and which calls and functions it made until then."""

    outcome: str
    calls: frozenset[str]


Known = dict[str, Future]
"""By mark; where lasting faults have a part in the future, by these and the mark."""
Lasting = frozenset[tuple[str, str]]
"""The calls that meet a fault as often as they are made, with its kind."""


@dataclass
class Trail:
    """The marks of one run, each with how many calls and functions lie before it.

    ``phase`` tells apart what is asked under faults and what after them.
    """

    world: World
    phase: str = ""
    _marks: dict[str, tuple[int, int]] = field(default_factory=dict)

    def mark(self, function: str, payload: Any) -> str:
        """Where the run is now."""
        machines, injector = self.world.machines, self.world.injector
        times = machines.counted(f"lambda.{function}") if function in _APART else 0
        asked = f"{self.phase} {function} {times} {json.dumps(payload, sort_keys=True)} {len(machines.queue)}"
        text = f"{asked} {self.world.watch.text()}"
        mark = hashlib.sha256(text.encode()).hexdigest()
        self._marks.setdefault(mark, (len(injector.calls), len(machines.invoked) - 1))
        return mark

    def taught(self, outcome: str, lasting: Lasting, rest: frozenset[str] = frozenset()) -> Known:
        """What this run shows, when its act is over; ``rest`` are the calls that it was spared.

        A mark after which one of the ``lasting`` faults' calls was made teaches only who has the same ones.
        """
        made = [call.name for call in self.world.injector.calls]
        invoked = [f"lambda.{function}" for function in self.world.machines.invoked]
        futures = {
            mark: Future(outcome, rest.union(made[calls:], invoked[functions:]))
            for mark, (calls, functions) in self._marks.items()
        }
        touched = calls_of(lasting)
        return {
            _under(lasting, mark) if touched & future.calls else mark: future
            for mark, future in futures.items()
        }


@dataclass
class Failures:
    """Invocations that broke off at a lasting fault and changed nothing: the same one breaks off again."""

    world: World
    _known: dict[str, tuple[Answer, list[Call], float]] = field(default_factory=dict)

    def __contains__(self, mark: str) -> bool:
        return mark in self._known

    def handle(self, mark: str, again: Callable[[], str], handle: Callable[[], Answer]) -> Answer:
        """``mark`` is where the run is, ``again`` tells it anew."""
        calls, clock = self.world.injector.calls, self.world.clock
        if mark in self._known:
            answer, made, seconds = self._known[mark]
            calls += made
            clock.sleep(seconds)
            return answer
        before, since = len(calls), clock.passed
        answer = handle()
        if "FunctionError" in answer and again() == mark:
            self._known[mark] = (answer, calls[before:], clock.passed - since)
        return answer


class Converged(BaseException):
    """From here on the case is a run that is known."""

    def __init__(self, future: Future) -> None:
        super().__init__()
        self.future = future


def way_out(world: World, known: Known, way: Callable[[], list[str]]) -> tuple[list[str], Known]:
    """What is wrong with a ``way`` that meets no faults, and what it teaches.

    It is gone until it comes to where an earlier one came with which nothing was wrong.
    """
    trail = Trail(world, "out")

    def entered(function: str, payload: Any) -> None:
        future = known.get(trail.mark(function, payload))
        if future:
            raise Converged(future)

    world.machines.entered = entered
    try:
        wrong = way()
    except Converged:
        wrong = []
    finally:
        world.machines.entered = lambda *_: None
    return wrong, {} if wrong else trail.taught("", frozenset())


def future_of(known: Known, mark: str, lasting: Lasting) -> Future | None:
    """What is known to follow a mark under these lasting faults."""
    future = known.get(mark)
    if future and not calls_of(lasting) & future.calls:
        return future
    return known.get(_under(lasting, mark)) if lasting else None


def calls_of(lasting: Lasting) -> frozenset[str]:
    return frozenset(call for call, _ in lasting)


def _under(lasting: Lasting, mark: str) -> str:
    return f"{sorted(lasting)} {mark}"
