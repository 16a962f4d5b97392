"""A few dozen plans through the real state machines and functions; the long part is ``make campaign``."""

from __future__ import annotations

from typing import Any

import pytest
from faults import cases, explore
from faults.cases import Verdict
from faults.forks import forked
from faults.plans import parse
from faults.scenarios import SCENARIOS
from faults.world import World
from shoal.deployments import teardown
from shoal.resources import kind as kinds_of_resource


@pytest.fixture(scope="module")
def golden(warm: World) -> dict[str, str]:
    """The account after each scenario without a fault, as it is asked for."""

    class Accounts(dict[str, str]):
        def __missing__(self, name: str) -> str:
            self[name] = forked(lambda: str(explore.prepared(warm, SCENARIOS[name])[1].account))
            return self[name]

    return Accounts()


def verdict(warm: World, golden: dict[str, str], text: str) -> Verdict:
    plan = parse(text)
    found: Verdict = forked(lambda: cases.run(warm, plan, golden[plan.scenario]))
    return found


LONG = (
    ("deploy:lambda.task_cluster#1:dies", "FAILED"),
    ("delete:sqs.DeleteQueue#1:denied**", "DELETE_INCOMPLETE"),
    ("rollback", "FAILED"),
    ("deploy:ecs.CreateService#1:lost**", "READY"),
    ("deploy:ecs.CreateCluster#1:throttle**", "FAILED"),
    ("deploy:ecs.CreateCluster#1:denied", "FAILED"),
    ("deploy:elbv2.CreateListener#1:lost*", "READY"),
    ("deploy:ecs.RegisterTaskDefinition#1:lost", "READY"),
    ("deploy:autoscaling.CreateAutoScalingGroup#1:denied**", "FAILED"),
    ("deploy:stepfunctions.StartExecution#1:lost*", "READY"),
    ("deploy:sesv2.SendEmail#1:denied**", "READY"),
    ("deploy:lambda.task_cluster#1:timeout", "READY"),
    ("deploy:lambda.ecs_service#1:twice", "READY"),
    ("deploy:ecs.CreateService#1:denied**+elbv2.DeleteListener#1:lost*", "FAILED"),
    ("rollback:ecs.DeleteService#1:denied**", "ROLLBACK_FAILED"),
    ("rollback:autoscaling.DeleteAutoScalingGroup#1:lost**", "ROLLBACK_FAILED"),
    ("foreign", "FAILED"),
    ("update:ecs.UpdateService#1:lost*", "READY"),
    ("update-rollback", "READY"),
    ("revert", "READY"),
    ("stop:lambda.fleet_reconciler#1:dies", "STOPPED"),
    ("stop:dynamodb.TransactWriteItems#1:denied**", "READY"),
    ("start:ecs.UpdateService#1:denied**", "STOPPED"),
    ("start:lambda.ecs_service#1:dies", "STOPPED"),
    ("delete-stopped", "DELETED"),
    ("delete:logs.DeleteLogGroup#1:crash-after", "DELETED"),
    ("delete:ecs.DescribeServices#3:slow", "DELETED"),
    ("deploy-host:elbv2.CreateRule#1:lost**", "READY"),
    ("deploy-host:elbv2.CreateRule#1:crash-after", "READY"),
    ("deploy-host:cloudwatch.PutMetricAlarm#2:denied", "FAILED"),
    ("deploy-host:cloudwatch.PutDashboard#1:lost*", "READY"),
    ("delete-host:elbv2.DeleteRule#1:lost*", "DELETED"),
    ("delete-host:cloudwatch.DeleteAlarms#1:denied**", "DELETE_INCOMPLETE"),
)


@pytest.mark.parametrize(
    ("plan", "outcome"),
    [
        ("deploy", "READY"),
        ("deploy:ecs.RegisterTaskDefinition#1:crash-after", "READY"),
        ("deploy:ecs.CreateService#1:denied**+ecs.DeleteCapacityProvider#1:crash-after", "FAILED"),
        ("delete", "DELETED"),
        *(pytest.param(*case, marks=pytest.mark.long) for case in LONG),
    ],
)
def test_the_account_is_whole_or_as_before(
    warm: World, golden: dict[str, str], plan: str, outcome: str
) -> None:
    found = verdict(warm, golden, plan)
    assert found.wrong == ()
    assert found.outcome == outcome


def test_a_swallowed_error_is_caught(
    warm: World, golden: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(teardown, "_ask", lambda entry, scope, there: teardown.GONE)
    monkeypatch.setattr(teardown.sweep, "run", lambda scope: {})
    found = verdict(warm, golden, "deploy:ecs.CreateService#1:denied**")
    assert found.wrong


def test_an_adoption_that_does_not_happen_is_caught(
    warm: World, golden: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def create_only(kind: Any, context: Any, create: Any, duplicate: Any = frozenset()) -> Any:
        with kinds_of_resource.domain_errors("make", absent=frozenset()):
            return create()

    from shoal.resources import task_definition

    monkeypatch.setattr(task_definition, "make_or_adopt", create_only)
    found = verdict(warm, golden, "deploy:ecs.RegisterTaskDefinition#1:crash-after")
    assert found.wrong


def chosen(faults: dict[str, tuple[str, ...]]) -> explore.Choose:
    """These kinds at the first call of each of these names."""
    return lambda name, number, _: list(faults.get(name, ())) if number == 1 else []


SHORT = ("throttle", "lost*", "crash-after")
CUT = {
    "single faults": (
        explore.Level(
            chosen(
                {"ecs.CreateCluster": SHORT, "dynamodb.GetItem": SHORT, "lambda.load_balancer": ("timeout",)}
            )
        ),
    ),
    "lasting faults": (
        explore.Level(
            chosen({"ecs.DescribeClusters": ("denied**", "5xx**"), "ecs.CreateCluster": ("denied**",)})
        ),
    ),
    "double faults": (
        explore.Level(chosen({"ecs.CreateService": ("denied", "denied**"), "sqs.GetQueueUrl": ("lost**",)})),
        explore.Level(
            chosen({"elbv2.DeleteListener": SHORT, "ecs.DeleteCluster": ("denied", "crash-before")}),
            after="rollback",
        ),
    ),
}


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "cases"), [("single faults", 7), ("lasting faults", 3), ("double faults", 16)]
)
def test_cutting_a_case_short_changes_no_verdict(warm: World, name: str, cases: int) -> None:
    """The same cases, cut short where their future is known and run to their end."""

    def case(prune: bool) -> list[tuple[str, str, tuple[str, ...]]]:
        stage, recorded = explore.prepared(warm, SCENARIOS["deploy"])
        found = explore.Explorer(stage, recorded, CUT[name], prune=prune).run()
        return [(one.plan, one.outcome, one.wrong) for one in found]

    short, whole = forked(lambda: case(True), 600), forked(lambda: case(False), 600)
    assert len(short) == cases
    assert short == whole
