"""What one run teaches another: what follows from where it was, where no fault was met after it."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from faults import snapshot
from faults.known import Future, Trail, future_of
from faults.watch import Watch

STATE = ("dynamodb", "tables", "deployments/DEPLOYMENT#benthic/STATE")


@dataclass
class Run:
    """As much of a world as a trail looks at."""

    account: snapshot.Snapshot = field(default_factory=dict)
    watch: Watch = field(default_factory=lambda: Watch(frozenset({"reason"})))
    injector: Any = field(default_factory=lambda: SimpleNamespace(calls=[]))
    machines: Any = field(
        default_factory=lambda: SimpleNamespace(invoked=[], queue=[], counted=lambda name: 1)
    )

    def calls(self, *names: str) -> None:
        self.injector.calls += [SimpleNamespace(name=name) for name in names]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    made = Run()
    monkeypatch.setattr(snapshot, "services", lambda: ["dynamodb"])
    monkeypatch.setattr(snapshot, "of_service", lambda *_, **__: made.account)
    return made


def entered(run: Run, trail: Trail, function: str, payload: Any = None) -> str:
    run.machines.invoked.append(function)
    return trail.mark(function, payload)


def test_a_mark_teaches_what_is_called_after_it(run: Run) -> None:
    # Given
    trail: Any = Trail(run)
    first = entered(run, trail, "task_cluster")
    run.calls("ecs.CreateCluster")
    second = entered(run, trail, "rollback")
    run.calls("ecs.DeleteCluster")
    # When
    known = trail.taught("FAILED", frozenset())
    # Then
    after = frozenset({"lambda.rollback", "ecs.DeleteCluster"})
    assert known[second] == Future("FAILED", after)
    assert known[first] == Future("FAILED", after | {"lambda.task_cluster", "ecs.CreateCluster"})
    # and with a fault that lasts, all to those who have the same one; what it did not touch, to everybody
    made = frozenset({("ecs.CreateCluster", "denied**")})
    known = trail.taught("FAILED", made)
    assert future_of(known, first, made) == Future(
        "FAILED", after | {"lambda.task_cluster", "ecs.CreateCluster"}
    )
    assert [future_of(known, one, frozenset()) is None for one in (first, second)] == [True, False]
    other = frozenset({("ecs.CreateCluster", "throttle**")})
    assert [future_of(known, one, other) is None for one in (first, second)] == [True, False]
    # and what it was spared counts as called
    spared = frozenset({("sqs.DeleteQueue", "lost**")})
    known = trail.taught("FAILED", spared, frozenset({"sqs.DeleteQueue"}))
    assert [future_of(known, one, frozenset()) for one in (first, second)] == [None, None]


def test_a_future_with_a_call_is_not_that_of_who_meets_a_fault_there(run: Run) -> None:
    trail: Any = Trail(run)
    mark = entered(run, trail, "rollback")
    run.calls("ecs.DeleteCluster")
    known = trail.taught("FAILED", frozenset())
    assert future_of(known, mark, frozenset({("ecs.DeleteCluster", "denied**")})) is None
    assert future_of(known, mark, frozenset({("ecs.CreateCluster", "denied**")})) is not None


@pytest.mark.parametrize(
    ("change", "same"),
    [
        (lambda run: None, True),
        (lambda run: run.account.update({STATE: {"status": "ROLLING_BACK", "reason": "throttled"}}), True),
        (lambda run: run.account.update({STATE: {"status": "FAILED", "reason": "denied"}}), False),
        (lambda run: run.account.update({("sqs", "queues", "x"): {"name": "x"}}), False),
        (lambda run: run.machines.queue.append("an execution"), False),
    ],
)
def test_a_mark_is_the_account_without_its_reasons(run: Run, change: Any, same: bool) -> None:
    run.account[STATE] = {"status": "ROLLING_BACK", "reason": "denied"}
    before = entered(run, Trail(run), "rollback", {"generation": 1})
    change(run)
    run.watch.changed("dynamodb")
    after = entered(run, Trail(run), "rollback", {"generation": 1})
    assert (before == after) is same


def test_a_pass_from_outside_is_where_it_is_counted(run: Run) -> None:
    marks = []
    for number in (1, 2):
        run.machines.counted = lambda name, number=number: number
        marks += [entered(run, Trail(run), name) for name in ("recovery", "rollback")]
    assert marks[0] != marks[2]
    assert marks[1] == marks[3]
