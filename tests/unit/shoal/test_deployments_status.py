"""READY is a completed rollout of our task definition and a healthy target; a reason says what is missing."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import deployment_flow as flow
import pytest
from shoal.deployments import status as module
from shoal.deployments import store
from shoal.deployments.recording import reason_of
from shoal.errors import Conflict, ServiceNotStable
from shoal.resources import scaling_activities
from shoal_local import strict

NOW = dt.datetime.now(dt.UTC)


@pytest.fixture
def strict_account(account: dict[str, str]) -> Iterator[None]:
    with strict.installed():
        yield


class Service:
    """What ECS, the balancer and Auto Scaling answer; a test turns the knobs."""

    def __init__(self, serves: str, task_definition: str) -> None:
        self.rollout: dict[str, Any] = {
            "status": "PRIMARY",
            "taskDefinition": task_definition,
            "rolloutState": "COMPLETED",
            "runningCount": 1,
            "failedTasks": 0,
            "createdAt": NOW,
        }
        self.status = "ACTIVE"
        self.health = [{"State": "healthy"}]
        self.activities: list[dict[str, str]] = []
        self.events = [{"message": f"event {number}"} for number in range(9)]

    def install(self, monkeypatch: pytest.MonkeyPatch) -> Service:
        monkeypatch.setattr(module, "describe_service", lambda *_: self.described())
        monkeypatch.setattr(module, "client", lambda _: self)
        monkeypatch.setattr(scaling_activities, "client", lambda _: self)
        return self

    def described(self) -> dict[str, Any]:
        return {
            "status": self.status,
            "desiredCount": 1,
            "deployments": [self.rollout],
            "events": self.events,
        }

    def describe_target_health(self, **_: str) -> dict[str, Any]:
        return {"TargetHealthDescriptions": [{"TargetHealth": one} for one in self.health]}

    def describe_scaling_activities(self, **_: str) -> dict[str, Any]:
        return {"Activities": self.activities}


@pytest.fixture
def deployed(strict_account: None, monkeypatch: pytest.MonkeyPatch) -> tuple[flow.Payload, Service]:
    spec = flow.spec_of("queue,endpoint")
    payload = flow.begin(spec)
    for step in ("load_balancer", "task_cluster", "auto_scaling_group", "ecs_service"):
        answer = flow.handler(step)(payload, None)
        if step == "task_cluster":
            task_definition = answer["resources"]["task_definition"]
    return payload, Service("queue,endpoint", task_definition).install(monkeypatch)


def test_steady_is_ready_and_says_where(deployed: tuple[flow.Payload, Service]) -> None:
    # Given
    payload, _ = deployed
    # When
    answer = flow.handler("service_status")(payload, None)
    flow.become(payload, "READY")
    # Then
    found = store.get("benthic")
    assert answer["ready"] is True
    assert found.endpoint is not None
    assert found.endpoint.startswith("http://")
    assert found.endpoint.endswith(":5001")
    assert found.queue_url is not None
    assert found.queue_url.endswith("/shoal-dev-benthic-jobs")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"rollout": {"rolloutState": "IN_PROGRESS", "runningCount": 0}}, "0 of 1 tasks running"),
        ({"rollout": {"taskDefinition": "arn:somebody-elses:1"}}, "rollout not begun"),
        ({"health": []}, "event 0"),  # COMPLETED is not enough with an endpoint
        ({"health": [{"State": "unhealthy", "Description": "503"}]}, "target unhealthy: 503"),
        (
            {
                "rollout": {"rolloutState": "IN_PROGRESS"},
                "activities": [
                    {"StatusCode": "Failed", "StatusMessage": "no g5.xlarge capacity in us-west-2b"}
                ],
            },
            "no g5.xlarge capacity in us-west-2b",
        ),
    ],
)
def test_not_yet_ready_says_why(
    deployed: tuple[flow.Payload, Service], change: dict[str, Any], words: str
) -> None:
    # Given
    payload, service = deployed
    service.rollout |= change.get("rollout", {})
    service.health = change.get("health", service.health)
    service.activities = change.get("activities", [])
    # When
    answer = flow.handler("service_status")(payload, None)
    # Then
    assert answer["ready"] is False
    assert words in answer["reason"]
    assert "event 2" in answer["reason"]
    assert "event 3" not in answer["reason"]  # the last three events are enough


def test_what_it_waits_for_is_shown_and_told_once(deployed: tuple[flow.Payload, Service]) -> None:
    # Given
    payload, service = deployed
    service.rollout |= {"rolloutState": "IN_PROGRESS", "runningCount": 0}
    told = "no g5.xlarge capacity in us-west-2b"
    service.activities = [{"StatusCode": "Failed", "StatusMessage": told}]
    # When
    for _ in range(3):
        flow.handler("service_status")(payload, None)
    # Then
    assert told in store.get("benthic").reason
    waiting = [event for event in store.events("benthic") if event.status == "WAITING"]
    assert [(event.actor, told in event.reason) for event in waiting] == [("service_status", True)]
    # When it is ready, there is nothing left to wait for
    flow.become(payload, "READY")
    assert store.get("benthic").reason == ""


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"rolloutState": "FAILED", "rolloutStateReason": "tasks failed to start"}, "tasks failed to start"),
        (
            {"rolloutState": "IN_PROGRESS", "createdAt": NOW - dt.timedelta(seconds=1600)},
            "not steady after 1500 s",
        ),
        ({"status": "INACTIVE"}, "missing"),
    ],
)
def test_what_cannot_become_steady_ends(
    deployed: tuple[flow.Payload, Service], change: dict[str, Any], words: str
) -> None:
    # Given
    payload, service = deployed
    service.status = change.pop("status", "ACTIVE")
    service.rollout |= change
    # When / Then
    with pytest.raises(ServiceNotStable, match=words):
        flow.handler("service_status")(payload, None)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (
            {"Error": "Denied", "Cause": '{"errorType": "Denied", "errorMessage": "ecs:CreateCluster"}'},
            "Denied: ecs:CreateCluster",
        ),
        ({"Error": "States.Timeout", "Cause": ""}, "States.Timeout"),
        ({"Error": "States.Timeout"}, "States.Timeout"),
        ({"Error": "ServiceNotStable", "Cause": "plain words"}, "ServiceNotStable: plain words"),
        ({"Error": "Odd", "Cause": "[1]"}, "Odd: [1]"),
    ],
)
def test_a_catch_becomes_a_reason(error: dict[str, str], reason: str) -> None:
    assert reason_of(error) == reason


@pytest.mark.usefixtures("tables")
def test_the_first_reason_survives_the_rollback() -> None:
    # Given
    payload = flow.begin(flow.spec_of())
    # When
    flow.become(payload, "ROLLING_BACK", error={"Error": "ServiceNotStable", "Cause": "no capacity"})
    flow.become(payload, "ROLLBACK_FAILED")
    # Then
    assert (
        store.get("benthic").reason == "ServiceNotStable: no capacity; left, for no cost: see the last pass"
    )
    with pytest.raises(Conflict):
        flow.become(payload, "READY")
