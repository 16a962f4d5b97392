"""What watches a deployment: which alarms it has, what they watch, and whose dashboard it is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import deployment_flow as flow
import pytest
from shoal.aws import client
from shoal.deployments import store
from shoal.errors import Conflict
from shoal.resources import ALARMS, BY_KIND
from shoal.resources.kind import Context, Entry
from shoal.settings import settings
from shoal_local import strict

GROUP = "arn:aws:elasticloadbalancing:us-west-2:123456789012:targetgroup/shoal-dev-benthic/1"


@pytest.fixture(autouse=True)
def strict_account(account: dict[str, str]) -> Iterator[None]:
    with strict.installed():
        yield


def context_of(serves: str = "queue,endpoint", **more: Any) -> Context:
    """A claimed deployment in which everything but its alarms is made."""
    spec = flow.spec_of(serves, **more)
    made = {
        kind: Entry(kind=kind, order=one.order, name=f"name-{kind}", revision=1, arn=GROUP)
        for kind, one in BY_KIND.items()
    }
    return Context("dev", spec.name, spec, 1, store.claim(spec, "tests").generation, made)


def made_by(kind: str, context: Context) -> dict[str, Any]:
    name = BY_KIND[kind].make(context).arn
    found: dict[str, Any] = client("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"][0]
    return found


def dimensions(alarm: dict[str, Any]) -> dict[str, str]:
    return {one["Name"]: one["Value"] for one in alarm["Dimensions"]}


@pytest.mark.parametrize(
    ("serves", "kinds"),
    [
        ("queue", {"dead_letter_alarm", "oldest_video_alarm", "stalled_queue_alarm"}),
        ("endpoint", {"unhealthy_endpoint_alarm"}),
        ("queue,endpoint", {alarm.kind for alarm in ALARMS}),
    ],
)
def test_a_deployment_has_the_alarms_of_what_it_serves(serves: str, kinds: set[str]) -> None:
    spec = flow.spec_of(serves)
    assert {alarm.kind for alarm in ALARMS if alarm.applies(spec)} == kinds


@pytest.mark.parametrize("kind", [alarm.kind for alarm in ALARMS])
def test_every_alarm_tells_the_topic_and_carries_our_tags(kind: str) -> None:
    # Given
    context = context_of()
    # When
    alarm = made_by(kind, context)
    # Then
    assert alarm["AlarmActions"] == [settings().alarm_topic_arn]
    assert "benthic" in alarm["AlarmDescription"]
    found = BY_KIND[kind].observe(context)
    assert found is not None
    assert found.tags == context.tags()


def test_without_a_topic_an_alarm_tells_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALARM_TOPIC_ARN", "")
    settings.cache_clear()
    assert made_by("dead_letter_alarm", context_of())["AlarmActions"] == []


@pytest.mark.parametrize(("hours", "seconds"), [(2.0, 10_800), (0.5, 5_400), (11.5, 45_000)])
def test_a_video_may_wait_as_long_as_one_takes_and_an_hour(hours: float, seconds: int) -> None:
    alarm = made_by("oldest_video_alarm", context_of(timeout_hours=hours))
    assert (alarm["MetricName"], alarm["Threshold"]) == ("ApproximateAgeOfOldestMessage", seconds)
    assert dimensions(alarm) == {"QueueName": "name-queue"}


def test_one_dead_letter_is_enough() -> None:
    alarm = made_by("dead_letter_alarm", context_of())
    assert (alarm["ComparisonOperator"], alarm["Threshold"]) == ("GreaterThanOrEqualToThreshold", 1)
    assert dimensions(alarm) == {"QueueName": "name-dead_letter_queue"}
    assert alarm["TreatMissingData"] == "notBreaching"


def test_a_queue_is_stalled_when_videos_wait_and_nobody_runs() -> None:
    # When
    alarm = made_by("stalled_queue_alarm", context_of())
    # Then
    inputs = {query["Id"]: query for query in alarm["Metrics"]}
    assert inputs["stalled"]["Expression"] == "IF(waiting > 0 AND FILL(running, 0) < 1, 1, 0)"
    assert [name for name, query in inputs.items() if query["ReturnData"]] == ["stalled"]
    running = inputs["running"]["MetricStat"]["Metric"]
    assert dimensions(running) == {"ClusterName": "name-cluster", "ServiceName": "name-service"}
    assert alarm["EvaluationPeriods"] == 20


def test_an_endpoint_without_any_target_is_unhealthy_too() -> None:
    # When
    alarm = made_by("unhealthy_endpoint_alarm", context_of())
    # Then
    assert (alarm["ComparisonOperator"], alarm["TreatMissingData"]) == ("LessThanThreshold", "breaching")
    found = dimensions(alarm)
    assert found["TargetGroup"] == "targetgroup/shoal-dev-benthic/1"
    assert found["LoadBalancer"].startswith("app/shared/")


@pytest.mark.parametrize(("serves", "graphs"), [("queue", 4), ("endpoint", 5), ("queue,endpoint", 7)])
def test_the_dashboard_shows_what_the_deployment_serves(serves: str, graphs: int) -> None:
    # When
    name = BY_KIND["dashboard"].make(context_of(serves)).arn
    # Then
    body = json.loads(client("cloudwatch").get_dashboard(DashboardName=name)["DashboardBody"])
    shown = [widget for widget in body["widgets"] if widget["type"] == "metric"]
    assert len(shown) == graphs
    assert name == "shoal-dev-benthic-us-west-2"  # dashboards are one list for all regions
    places = [(widget["x"], widget["y"]) for widget in body["widgets"]]
    assert len(places) == len(set(places))


def test_a_dashboard_of_somebody_else_is_neither_replaced_nor_removed() -> None:
    # Given
    context, dashboard = context_of(), BY_KIND["dashboard"]
    text = {"type": "text", "properties": {"markdown": "`shoal:deployment=another`"}}
    theirs = json.dumps({"widgets": [text]})
    client("cloudwatch").put_dashboard(DashboardName=dashboard.name(context), DashboardBody=theirs)
    # When
    with pytest.raises(Conflict, match="is not ours"):
        dashboard.make(context)
    # Then
    found = client("cloudwatch").get_dashboard(DashboardName=dashboard.name(context))
    assert found["DashboardBody"] == theirs
    seen = dashboard.observe(context)
    assert seen is not None
    assert not context.owns(seen.tags)


def test_a_body_that_is_no_json_has_no_owner() -> None:
    """A read that breaks would stop every pass of the deletion."""
    from shoal.resources.dashboard import _owner_in

    assert _owner_in("{") == {}
