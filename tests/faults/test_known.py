"""What one run teaches another: what follows from where it was, where no fault was met after it."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from faults import snapshot
from faults.known import Future, Trail

STATE = ("dynamodb", "tables", "deployments/DEPLOYMENT#benthic/STATE")


@dataclass
class Run:
    """As much of a world as a trail looks at."""

    account: snapshot.Snapshot = field(default_factory=dict)
    injector: Any = field(default_factory=lambda: SimpleNamespace(calls=[]))
    machines: Any = field(
        default_factory=lambda: SimpleNamespace(invoked=[], queue=[], counted=lambda name: 1)
    )

    def calls(self, *names: str) -> None:
        self.injector.calls += [SimpleNamespace(name=name) for name in names]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    made = Run()
    monkeypatch.setattr(snapshot, "take", lambda: made.account)
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
    # and with a fault that lasts, only what it did not touch
    assert set(trail.taught("FAILED", frozenset({"ecs.CreateCluster"}))) == {second}
    assert trail.taught("FAILED", frozenset({"ecs.DeleteCluster"})) == {}
    # and what it was spared counts as called
    assert trail.taught("FAILED", frozenset({"sqs.DeleteQueue"}), frozenset({"sqs.DeleteQueue"})) == {}


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
    after = entered(run, Trail(run), "rollback", {"generation": 1})
    assert (before == after) is same


def test_a_pass_from_outside_is_where_it_is_counted(run: Run) -> None:
    marks = []
    for number in (1, 2):
        run.machines.counted = lambda name, number=number: number
        marks += [entered(run, Trail(run), name) for name in ("recovery", "rollback")]
    assert marks[0] != marks[2]
    assert marks[1] == marks[3]
