"""Every fault at every call of one scenario, each case forked off at its own call.

The fault-free run goes on in the parent; at each call it forks one child for each kind. A child need not run
on where its future is known: an attempt that AWS refused and the SDK repeated has changed nothing, and a step
that begins with the payload and the account of an earlier run without further faults ends as that run did.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from faults import kinds
from faults.cases import Stage, Verdict, canonical
from faults.forks import (
    CASE_SECONDS,
    CaseFailed,
    Claims,
    bound,
    collect,
    finish,
    fork,
    forked,
    shared_out,
)
from faults.injector import Call
from faults.known import Converged, Failures, Future, Known, Lasting, Trail, future_of, way_out
from faults.machines import Answer
from faults.plans import Fault, Plan

Choose = Callable[[str, int, tuple[Fault, ...]], list[str]]
"""The kinds of fault for a call (its name and its number), given the faults before it."""
_CHECKS = 40
"""How often a case looks whether its future is known: one that met nothing known so far hardly will."""
_EXPLORER_SECONDS = 4 * 3600


@dataclass(frozen=True)
class Golden:
    """The scenario without faults: the account after it, what it teaches, the calls it makes."""

    account: str = ""
    outcome: str = ""
    known: Known = field(default_factory=dict)
    calls: tuple[str, ...] = ()


def record(stage: Stage) -> Golden:
    """Run the scenario without a fault, in a fork."""
    golden: Golden = forked(lambda: _record(stage))
    return golden


def _record(stage: Stage) -> Golden:
    trail = Trail(stage.world)
    stage.world.machines.entered = trail.mark
    stage.act()
    calls = tuple(call.name for call in stage.world.injector.calls)
    stage.world.machines.entered = lambda *_: None
    known = trail.taught("", frozenset())
    for _ in range(3):
        stage.world.fleet.tick()
    stage.world.settle()
    account = canonical()
    stage.golden = account
    # a deletion or a rollback ends in a moment of its own, which judge() measures by the snapshots alone
    outcome, wrong = stage.judge()
    if wrong:
        raise AssertionError(f"{stage.scenario.name} without a fault: {wrong}")
    known = {mark: replace(future, outcome=outcome) for mark, future in known.items()}
    return Golden(account, outcome, known, calls)


@dataclass(frozen=True)
class Level:
    """Which faults are tried, and from which function of the run on (empty: from its beginning)."""

    choose: Choose
    after: str = ""


@dataclass
class Explorer:
    """The faults at the calls it claims, one level after the other: the second level's join the first's.

    ``prune=False`` runs every case to its end.
    """

    stage: Stage
    golden: Golden
    levels: tuple[Level, ...]
    claims: Claims | None = None
    """Shared with other explorers of the same calls; without them all calls are its own."""
    prune: bool = True
    verdicts: list[Verdict] = field(default_factory=list)
    _writer: int | None = None
    _faults: tuple[Fault, ...] = ()
    _alone: bool = False
    _begun: bool = False
    _index: int = 0
    _checks: int = _CHECKS
    _trail: Trail = field(init=False)
    _known: Known = field(init=False)
    _learned: Known = field(default_factory=dict)
    _failures: Failures = field(init=False)
    _mark: str = ""
    _entered: Callable[[], str] = str
    """Tells where the run is, at the function that was entered last."""

    def __post_init__(self) -> None:
        self._failures = Failures(self.stage.world)
        self._trail, self._known = Trail(self.stage.world), dict(self.golden.known)

    def run(self) -> list[Verdict]:
        """In the parent: the verdicts. The children end inside."""
        machines, injector = self.stage.world.machines, self.stage.world.injector
        injector.before, machines.entered, machines.around = self._at_call, self._at_function, self._around
        self._begun = not self.levels[0].after
        try:
            self.stage.act()
            future = None
        except Converged as known:
            future = known.future
        injector.before, machines.entered, machines.around = None, lambda *_: None, lambda handle: handle()
        if self._writer is not None:
            injector.end()
            finish(self._writer, lambda: self._answer(future))
        return self.verdicts

    def _answer(self, future: Future | None) -> tuple[list[Verdict], Known]:
        """In a child: the verdicts of it and of its children, and what they teach."""
        rest = future.calls if future else frozenset[str]()
        teaches = functools.partial(self._trail.taught, lasting=self._lasting, rest=rest)
        known = teaches("")  # before judge() calls more
        verdict = self._verdict(future)
        if not verdict.wrong:
            self._learned |= {mark: replace(one, outcome=verdict.outcome) for mark, one in known.items()}
        return [*self.verdicts, verdict], self._learned

    @property
    def _level(self) -> Level | None:
        """The level whose faults are tried now; None in a child that has all of its faults."""
        deep = len(self._faults)
        return self.levels[deep] if deep < len(self.levels) and not self._alone else None

    @property
    def _prunes(self) -> bool:
        return self.prune and self._writer is not None and self._level is None

    @property
    def _lasting(self) -> Lasting:
        lasting = (fault for fault in self._faults if kinds.split(fault.kind)[1] == kinds.LASTING)
        return frozenset((fault.call, fault.kind) for fault in lasting)

    def _verdict(self, future: Future | None) -> Verdict:
        plan, injector = Plan(self.stage.scenario.name, self._faults), self.stage.world.injector
        viewed = kinds.split(self._faults[-1].kind)[0] in kinds.VIEWS
        hit = len(injector.hits) == len(self._faults) and (not viewed or injector.changed_a_view)
        if future is not None:
            return Verdict(str(plan), future.outcome, tuple(self.stage.unannounced()), hit)
        self.stage.golden = self.golden.account
        if self.prune:
            self.stage.escape = self._escaped
        outcome, wrong = self.stage.judge()
        return Verdict(str(plan), outcome, tuple(wrong), hit)

    def _escaped(self, way: Callable[[], list[str]]) -> list[str]:
        wrong, learned = way_out(self.stage.world, self._known, way)
        self._learned |= learned
        return wrong

    def _at_call(self, call: Call) -> None:
        seen_by_nobody = len(self.levels) == 1 and self.stage.world.injector.repeated_unseen
        if self._prunes and not self._lasting and seen_by_nobody:
            # a refused attempt that the SDK repeated with success
            raise Converged(Future(self.golden.outcome, frozenset(self.golden.calls)))
        self._try(call.name, call.number)

    def _at_function(self, function: str, payload: Any) -> None:
        if self._prunes:
            self._end_if_converged(function, payload)
        elif self.prune:
            self.stage.world.watch.text()  # the cases that fork off here need not look again
        level = self._level
        self._begun |= level is not None and level.after == function
        self._try(f"lambda.{function}", self.stage.world.machines.counted(f"lambda.{function}"))

    def _try(self, name: str, number: int) -> None:
        level = self._level
        if level is None or not self._begun:
            return
        if not self._faults:
            self._index += 1
            if self.claims and not self.claims.take(self._index):
                return
        for kind in level.choose(name, number, self._faults):
            if self._branch(Fault(name, number, kind)):
                return

    def _branch(self, fault: Fault) -> bool:
        """Fork a case; True in the child, which goes on from here under the fault.

        One that meets further faults is run without them first: they end as it did, if they come back to it.
        """
        if self.prune and len(self._faults) + 1 < len(self.levels) and self._fork(fault, alone=True):
            return True
        return self._fork(fault)

    def _fork(self, fault: Fault, *, alone: bool = False) -> bool:
        faults = (*self._faults, fault)
        reader, writer = os.pipe()
        child = fork()
        if child == 0:
            os.close(reader)
            self._become(writer, faults, alone=alone)
            return True
        os.close(writer)
        try:
            verdicts, learned = collect(child, reader, CASE_SECONDS * len(self.levels))
            self.verdicts += [] if alone else verdicts
            self._known |= learned
            self._learned |= learned
        except CaseFailed as error:
            plan = Plan(self.stage.scenario.name, faults)
            self.verdicts.append(Verdict(str(plan), "BROKEN", (str(error),)))
        return False

    def _become(self, writer: int, faults: tuple[Fault, ...], *, alone: bool) -> None:
        """In the child."""
        bound(CASE_SECONDS)
        self._writer, self._faults, self._alone = writer, faults, alone
        self.verdicts, self._learned, self._checks = [], {}, _CHECKS
        self._begun = self._level is not None and not self._level.after
        self.stage.world.injector.faults = list(faults)

    def _end_if_converged(self, function: str, payload: Any) -> None:
        injector = self.stage.world.injector
        self._mark = ""
        if self._checks and len(injector.hits) == len(self._faults) and not injector.views_pending:
            self._entered = functools.partial(self._trail.mark, function, payload)
            self._mark = self._entered()
            self._checks -= self._mark not in self._failures
            future = future_of(self._known, self._mark, self._lasting)
            if future:
                raise Converged(future)

    def _around(self, handle: Callable[[], Answer]) -> Answer:
        if self._mark and self._lasting:
            return self._failures.handle(self._mark, self._entered, handle)
        return handle()


def explore(stage: Stage, golden: Golden, levels: tuple[Level, ...], processes: int) -> list[Verdict]:
    """The cases of a scenario over some processes: each takes the next call that none has taken."""

    def work(shared: Claims) -> list[Verdict]:
        return Explorer(stage, golden, levels, shared).run()

    return sorted(shared_out(work, processes, _EXPLORER_SECONDS), key=lambda one: one.plan)


def prepared(world: Any, scenario: Any) -> tuple[Stage, Golden]:
    """A scenario's stage in this process, with its golden run."""
    stage = Stage(world, scenario)
    stage.prepare()
    golden = record(stage)
    stage.golden = golden.account
    return stage, golden
