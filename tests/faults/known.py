"""What is known of where a run may come to: how it ends from there, and what it calls until then.

A mark is the function that is entered, its payload, the account and how many executions wait. Two runs that
come to the same mark, and meet no fault after it, end alike: what one of them taught, the other need not run.
Left out of a mark are the texts of reasons, on which nothing is decided, and how many passes a teardown had.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

from faults import snapshot
from faults.world import World

_APART = frozenset({"recovery", "fleet_reconciler"})
"""Called from outside of an execution, a number of times: what follows depends on how often they were."""
_REASONS = frozenset({"reason", "outcome_reason"})


@dataclass(frozen=True)
class Future:
    """How a run ended that met no fault after a mark, and which calls and functions it made until then."""

    outcome: str
    calls: frozenset[str]


Known = dict[str, Future]
"""By mark."""


@dataclass
class Trail:
    """The marks of one run, each with how many calls and functions lie before it."""

    world: World
    _marks: dict[str, tuple[int, int]] = field(default_factory=dict)

    def mark(self, function: str, payload: Any) -> str:
        """Where the run is now."""
        machines, injector = self.world.machines, self.world.injector
        times = machines.counted(f"lambda.{function}") if function in _APART else 0
        account = snapshot.canonical(snapshot.take(), without=_REASONS)
        text = f"{function} {times} {json.dumps(payload, sort_keys=True)} {len(machines.queue)} {account}"
        mark = hashlib.sha256(text.encode()).hexdigest()
        self._marks.setdefault(mark, (len(injector.calls), len(machines.invoked) - 1))
        return mark

    def taught(self, outcome: str, lasting: frozenset[str], rest: frozenset[str] = frozenset()) -> Known:
        """What this run shows, when its act is over; ``rest`` are the calls that it was spared.

        A mark after which one of the ``lasting`` calls was made shows nothing: they met a fault.
        """
        made = [call.name for call in self.world.injector.calls]
        invoked = [f"lambda.{function}" for function in self.world.machines.invoked]
        futures = {
            mark: Future(outcome, rest.union(made[calls:], invoked[functions:]))
            for mark, (calls, functions) in self._marks.items()
        }
        return {mark: future for mark, future in futures.items() if not lasting & future.calls}
