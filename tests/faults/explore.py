"""Every fault at every call of one scenario, each case forked off at its own call.

The fault-free run goes on in the parent; at each call it forks one child for each kind. A child need not run
on where its future is known: an attempt that AWS refused and the SDK repeated has changed nothing, and a step
that begins with the payload and the account of the fault-free run ends as that run does.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from faults import kinds
from faults.cases import Stage, Verdict, canonical
from faults.forks import CASE_SECONDS, CaseFailed, at_once, bound, collect, finish, fork, forked
from faults.injector import Call
from faults.plans import Fault, Plan

Choose = Callable[[str, int, tuple[Fault, ...]], list[str]]
"""The kinds of fault for a call (its name and its number), given the faults before it."""
_CHECKS = 4
_SHARD_SECONDS = 4 * 3600


class Converged(BaseException):
    """From here on the case is the fault-free run."""


@dataclass(frozen=True)
class Golden:
    """The scenario without faults: the account after it, the state at each function, the calls it makes."""

    account: str = ""
    outcome: str = ""
    marks: frozenset[str] = frozenset()
    calls: tuple[str, ...] = ()


def record(stage: Stage) -> Golden:
    """Run the scenario without a fault, in a fork."""
    golden: Golden = forked(lambda: _record(stage))
    return golden


def _record(stage: Stage) -> Golden:
    marks: set[str] = set()
    stage.world.machines.entered = lambda function, payload: marks.add(_mark(function, payload))
    stage.act()
    calls = tuple(call.name for call in stage.world.injector.calls)
    for _ in range(3):
        stage.world.fleet.tick()
    stage.world.settle()
    account = canonical()
    stage.golden = account
    # a deletion or a rollback ends in a moment of its own, which judge() measures by the snapshots alone
    outcome, wrong = stage.judge()
    if wrong:
        raise AssertionError(f"{stage.scenario.name} without a fault: {wrong}")
    return Golden(account, outcome, frozenset(marks), calls)


def _mark(function: str, payload: Any) -> str:
    text = f"{function} {json.dumps(payload, sort_keys=True)} {canonical()}"
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class Level:
    """Which faults are tried, and from which function of the run on (empty: from its beginning)."""

    choose: Choose
    after: str = ""


@dataclass
class Explorer:
    """The faults at this shard's calls, one level after the other: the second level's join the first's.

    ``prune=False`` runs every case to its end; with more than one level every case does.
    """

    stage: Stage
    golden: Golden
    levels: tuple[Level, ...]
    shard: int = 0
    shards: int = 1
    prune: bool = True
    verdicts: list[Verdict] = field(default_factory=list)
    _writer: int | None = None
    _faults: tuple[Fault, ...] = ()
    _begun: bool = False
    _index: int = 0
    _checks: int = _CHECKS

    def run(self) -> list[Verdict]:
        """In the parent: the verdicts. The children end inside."""
        machines, injector = self.stage.world.machines, self.stage.world.injector
        injector.before, machines.entered = self._at_call, self._at_function
        self._begun = not self.levels[0].after
        try:
            self.stage.act()
            known = None
        except Converged:
            known = self.golden.outcome
        injector.before, machines.entered = None, lambda *_: None
        if self._writer is not None:
            injector.end()
            finish(self._writer, lambda: [*self.verdicts, self._verdict(known)])
        return self.verdicts

    @property
    def _level(self) -> Level | None:
        """The level whose faults are tried now; None in a child that has all of its faults."""
        return self.levels[len(self._faults)] if len(self._faults) < len(self.levels) else None

    @property
    def _prunes(self) -> bool:
        lasts = any(kinds.split(fault.kind)[1] == kinds.LASTING for fault in self._faults)
        return self.prune and len(self.levels) == 1 and self._writer is not None and not lasts

    def _verdict(self, known: str | None) -> Verdict:
        plan, injector = Plan(self.stage.scenario.name, self._faults), self.stage.world.injector
        viewed = kinds.split(self._faults[-1].kind)[0] in kinds.VIEWS
        hit = len(injector.hits) == len(self._faults) and (not viewed or injector.changed_a_view)
        if known is not None:
            return Verdict(str(plan), known, (), hit)
        self.stage.golden = self.golden.account
        outcome, wrong = self.stage.judge()
        return Verdict(str(plan), outcome, tuple(wrong), hit)

    def _at_call(self, call: Call) -> None:
        if self._prunes and self.stage.world.injector.repeated_unseen:
            # a refused attempt that the SDK repeated with success is seen by neither side
            raise Converged
        self._try(call.name, call.number)

    def _at_function(self, function: str, payload: Any) -> None:
        if self._prunes:
            self._end_if_converged(function, payload)
        level = self._level
        self._begun |= level is not None and level.after == function
        self._try(f"lambda.{function}", self.stage.world.machines.counted(f"lambda.{function}"))

    def _try(self, name: str, number: int) -> None:
        level = self._level
        if level is None or not self._begun:
            return
        if not self._faults:
            self._index += 1
            if self._index % self.shards != self.shard:
                return
        for kind in level.choose(name, number, self._faults):
            if self._branch(Fault(name, number, kind)):
                return

    def _branch(self, fault: Fault) -> bool:
        """Fork a case; True in the child, which goes on from here under the fault."""
        faults = (*self._faults, fault)
        reader, writer = os.pipe()
        child = fork()
        if child == 0:
            os.close(reader)
            bound(CASE_SECONDS)
            self._writer, self._faults, self.verdicts = writer, faults, []
            self._begun = self._level is not None and not self._level.after
            self.stage.world.injector.faults = list(faults)
            return True
        os.close(writer)
        try:
            self.verdicts += collect(child, reader, CASE_SECONDS * len(self.levels))
        except CaseFailed as error:
            plan = Plan(self.stage.scenario.name, faults)
            self.verdicts.append(Verdict(str(plan), "BROKEN", (str(error),)))
        return False

    def _end_if_converged(self, function: str, payload: Any) -> None:
        injector = self.stage.world.injector
        if self._checks and injector.hits and not injector.views_pending:
            self._checks -= 1
            if _mark(function, payload) in self.golden.marks:
                raise Converged


def explore(stage: Stage, golden: Golden, levels: tuple[Level, ...], shards: int) -> list[Verdict]:
    """The cases of a scenario over ``shards`` processes."""
    explorers = [Explorer(stage, golden, levels, shard, shards) for shard in range(shards)]
    found = at_once([explorer.run for explorer in explorers], _SHARD_SECONDS)
    return [verdict for verdicts in found for verdict in verdicts]


def prepared(world: Any, scenario: Any) -> tuple[Stage, Golden]:
    """A scenario's stage in this process, with its golden run."""
    stage = Stage(world, scenario)
    stage.prepare()
    golden = record(stage)
    stage.golden = golden.account
    return stage, golden
