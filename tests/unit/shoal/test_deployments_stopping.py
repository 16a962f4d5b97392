"""Stopped and started through the functions' own handlers: what rings when, and what is kept."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import deployment_flow as flow
import pytest
from shoal.aws import client
from shoal.deployments import changes, ledger, status, store
from shoal.errors import ShoalError
from shoal_local import strict

HEALTHY = [{"State": "healthy"}]
SERVES = {
    "dead-letters": (1, "notBreaching"),
    "oldest-video": (10_800, "notBreaching"),
    "stalled-queue": (1, "notBreaching"),
    "unhealthy-endpoint": (1, "breaching"),
}
STOPPED = {
    "dead-letters": (1, "notBreaching"),  # a worker that finishes may still fail
    "oldest-video": (1_209_601, "notBreaching"),  # SQS keeps no message for so long
    "stalled-queue": (2, "notBreaching"),  # the expression is 0 or 1
    "unhealthy-endpoint": (1, "notBreaching"),  # without any target there is no metric
}


@pytest.fixture(autouse=True)
def strict_account(account: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    real = status._target_health
    monkeypatch.setattr(status, "_target_health", lambda group: group and (real(group) or HEALTHY))
    with strict.installed():
        yield


def rings() -> dict[str, tuple[int, str]]:
    """The threshold of each alarm, and what it makes of missing data."""
    prefix = "shoal-dev-benthic-"
    found = client("cloudwatch").describe_alarms(AlarmNamePrefix=prefix)["MetricAlarms"]
    return {
        one["AlarmName"].removeprefix(prefix): (int(one["Threshold"]), one["TreatMissingData"])
        for one in found
    }


def reconcile() -> dict[str, int]:
    flow.settle(running=0)
    answer: dict[str, int] = flow.handler("fleet_reconciler")({}, None)
    return answer


def started() -> flow.Payload:
    claim = changes.start("benthic", "tests")
    return {"deployment": "benthic", "revision": claim.revision, "generation": claim.generation}


@pytest.fixture
def stopped() -> None:
    flow.ready(flow.spec_of("queue,endpoint"))
    changes.stop("benthic", "tests")
    reconcile()


def test_what_a_stop_causes_does_not_ring_until_it_is_started(stopped: None) -> None:
    # Then
    assert (store.get("benthic").status, rings()) == ("STOPPED", STOPPED)
    # When
    payload = started()
    flow.become(payload, "DEPLOYING")
    flow.make(flow.spec_of("queue,endpoint"), payload)
    # Then
    assert (store.get("benthic").status, rings()) == ("STARTING", SERVES)


def test_a_start_that_failed_is_silent_again(stopped: None) -> None:
    # Given
    payload = started()
    flow.become(payload, "DEPLOYING")
    flow.make(flow.spec_of("queue,endpoint"), payload)
    # When
    flow.become(payload, "ROLLING_BACK")
    flow.settle(running=0)
    flow.remove(payload, "rollback")
    flow.become(payload, "FAILED")
    # Then
    assert (store.get("benthic").status, rings()) == ("STOPPED", STOPPED)


@pytest.mark.parametrize("when", ["before", "lost"])
def test_a_start_that_broke_off_leaves_no_call_under_way_in_the_ledger(
    stopped: None, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given
    before = ledger.entries("benthic")
    payload = started()
    flow.become(payload, "DEPLOYING")
    with monkeypatch.context() as patched:
        flow.Fault("UpdateService", when).install(patched)
        with pytest.raises(ShoalError):
            flow.make(flow.spec_of("queue,endpoint"), payload)
    # When
    flow.become(payload, "ROLLING_BACK")
    flow.settle(running=0)
    flow.remove(payload, "rollback")
    flow.become(payload, "FAILED")
    # Then
    assert (store.get("benthic").status, flow.seen()["count"]) == ("STOPPED", 0)
    assert ledger.entries("benthic") == before


def test_a_fleet_that_stays_stopped_sets_no_alarm_again(
    stopped: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = flow.Fault("none", "before").install(monkeypatch).called
    reconcile()
    assert "UpdateService" in calls
    assert "PutMetricAlarm" not in calls


@pytest.mark.parametrize("when", ["before", "lost"])
def test_an_alarm_that_cannot_be_set_keeps_no_worker_running(
    when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given
    flow.ready(flow.spec_of("queue,endpoint"))
    changes.stop("benthic", "tests")
    # When
    with monkeypatch.context() as patched:
        flow.Fault("PutMetricAlarm", when).install(patched)
        failed = reconcile()["failed"]
    # Then
    group = client("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"][0]
    assert (failed, flow.seen()["count"], group["MaxSize"]) == (1, 0, 0)
    assert store.get("benthic").status == "STOPPING"
    # and the next pass sets it
    assert (reconcile()["failed"], rings(), store.get("benthic").status) == (0, STOPPED, "STOPPED")
    assert {one.attempt_until for one in ledger.entries("benthic")} == {""}


def test_an_update_of_a_stopped_deployments_alarms_is_told(stopped: None) -> None:
    told = [one for one in store.events("benthic", 100) if one.status == "ADJUSTED"]
    assert {(one.target.split()[0], one.actor, one.reason) for one in told} == {
        ("oldest_video_alarm", "fleet_reconciler", "to revision 1, stopped"),
        ("stalled_queue_alarm", "fleet_reconciler", "to revision 1, stopped"),
        ("unhealthy_endpoint_alarm", "fleet_reconciler", "to revision 1, stopped"),
    }


def test_a_deletion_takes_silent_alarms_too(stopped: None) -> None:
    payload: dict[str, Any] = {"deployment": "benthic", "revision": 1}
    payload["generation"] = store.begin_deletion("benthic", "tests")
    flow.remove(payload)
    assert (rings(), ledger.entries("benthic")) == ({}, [])
