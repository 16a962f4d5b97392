"""A whole deployment and its removal through the functions' own handlers, on moto made strict."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import deployment_flow as flow
import pytest
from shoal.aws import client
from shoal.deployments import ledger, store
from shoal.errors import Conflict, ShoalError, StaleWriter
from shoal.resources.kind import Entry
from shoal_local import strict

SHAPES: list[tuple[str, str, dict[str, Any]]] = [
    ("queue", "ec2-gpu", {}),
    ("endpoint", "ec2-gpu", {}),
    ("queue,endpoint", "fargate-cpu", {}),
    ("queue,endpoint", "ec2-gpu", flow.BY_HOST),
    ("queue", "fargate-cpu", {"dashboard": False}),
]


@pytest.fixture(autouse=True)
def strict_account(account: dict[str, str]) -> Iterator[None]:
    with strict.installed():
        yield


@pytest.mark.parametrize(("serves", "compute", "more"), SHAPES)
def test_what_is_deployed_is_removed_without_a_trace(serves: str, compute: str, more: dict[str, Any]) -> None:
    # Given
    before, spec = flow.resources(), flow.spec_of(serves, compute, **more)
    payload = flow.begin(spec)
    # When
    flow.make(spec, payload)
    # Then
    made = {entry.kind: entry for entry in ledger.entries("benthic")}
    assert all(entry.state == "CREATED" and entry.arn for entry in made.values())
    assert ("target_group" in made, "queue" in made) == (spec.has_endpoint, spec.has_queue)
    assert ("listener" in made, "host_rule" in made) == (spec.has_port, spec.has_host)
    assert ("dead_letter_alarm" in made, "unhealthy_endpoint_alarm" in made) == (
        spec.has_queue,
        spec.has_endpoint,
    )
    assert ("dashboard" in made) is spec.dashboard
    assert ("auto_scaling_group" in made) == (compute == "ec2-gpu")
    assert flow.resources() > before
    # When
    payload["generation"] = store.begin_deletion("benthic", "tests")
    passes = flow.remove(payload)
    # Then
    assert flow.resources() == before
    assert not any(one["failed"] for one in passes)
    assert len(passes) > 1  # one look is never enough
    assert ledger.entries("benthic") == []


def test_every_step_twice_makes_one_thing() -> None:
    # Given
    spec = flow.spec_of("queue,endpoint")
    payload = flow.begin(spec)
    flow.make(spec, payload)
    once, entries = flow.resources(), ledger.entries("benthic")
    # When
    flow.make(spec, payload)
    # Then
    assert (flow.resources(), ledger.entries("benthic")) == (once, entries)


@pytest.mark.parametrize(
    ("operation", "when"),
    [
        ("CreateTargetGroup", "lost"),
        ("CreateListener", "before"),
        ("RegisterTaskDefinition", "lost"),
        ("CreateAutoScalingGroup", "lost"),
        ("CreateService", "lost"),
        ("PutMetricAlarm", "lost"),
        ("PutDashboard", "lost"),
    ],
)
def test_a_fault_anywhere_is_rolled_back(operation: str, when: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given
    before, spec = flow.resources(), flow.spec_of("queue,endpoint")
    payload = flow.begin(spec)
    fault = flow.Fault(operation, when).install(monkeypatch)
    # When
    with pytest.raises(ShoalError) as broken:
        flow.make(spec, payload)
    error = {"Error": type(broken.value).__name__, "Cause": str(broken.value)}
    flow.become(payload, "ROLLING_BACK", error=error)
    flow.remove(payload, "rollback")
    flow.become(payload, "FAILED")
    # Then
    assert fault.left == 0
    assert flow.resources() == before
    found = store.get("benthic")
    assert found.status == "FAILED"
    assert "AccessDenied" in found.reason
    assert store.claim(spec, "tests").revision == 2  # and the name may be used again


def test_what_a_dead_function_made_is_found_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given
    monkeypatch.setattr(ledger, "LONGEST_ATTEMPT", timedelta(0))
    before, spec = flow.resources(), flow.spec_of()
    payload = flow.begin(spec)
    flow.Fault("CreateLaunchTemplate", "crash").install(monkeypatch)
    # When
    with pytest.raises(MemoryError):
        flow.make(spec, payload)
    # Then
    assert {entry.kind: entry.state for entry in ledger.entries("benthic")}["launch_template"] == "PENDING"
    flow.become(payload, "ROLLING_BACK")
    passes = flow.remove(payload, "rollback")
    assert flow.resources() == before
    assert not any("left over" in line for one in passes for line in one["waiting"])  # the ledger knew


SLOW = {"DeleteService", "DeleteCapacityProvider", "DeleteAutoScalingGroup"}
"""AWS takes its time over these: they are asked again before what depends on them may go."""


ORDER = [
    ("DeleteService", "PutClusterCapacityProviders"),
    ("PutClusterCapacityProviders", "DeleteCapacityProvider"),
    ("DeleteCapacityProvider", "DeleteAutoScalingGroup"),
    ("DeleteAutoScalingGroup", "DeleteLaunchTemplate"),  # EC2 would let the template go too early
    ("DeleteService", "DeleteQueue"),  # a draining worker still reads it
    ("DeleteListener", "DeleteTargetGroup"),
    ("DeleteAutoScalingGroup", "DeleteCluster"),
    ("DeleteDashboards", "DeleteService"),
    ("DeleteAlarms", "DeleteService"),  # none rings over what is being taken away
]


def test_teardown_goes_in_the_order_of_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given
    spec = flow.spec_of("queue,endpoint")
    payload = flow.begin(spec)
    flow.make(spec, payload)
    payload["generation"] = store.begin_deletion("benthic", "tests")
    calls = flow.Fault("none", "before").install(monkeypatch).called
    # When
    flow.remove(payload)
    # Then
    for first, then in ORDER:
        earlier = calls[: calls.index(then)]
        assert earlier.count(first) >= 1 + (first in SLOW), f"{then} before {first} was over"


def test_a_deployment_refused_once_can_be_retried_step_by_step(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given: the answer of every creating call is lost once, as a step retried by the state machine sees it
    spec = flow.spec_of("queue,endpoint")
    payload = flow.begin(spec)
    creating = [
        "CreateTargetGroup",
        "CreateListener",
        "CreateCluster",
        "CreateLaunchTemplate",
        "CreateService",
    ]
    faults = [flow.Fault(operation, "lost").install(monkeypatch) for operation in creating]
    # When
    for step in flow.steps_of(spec):
        for _ in range(4):
            try:
                flow.handler(step)(payload, None)
            except ShoalError:
                continue
            break
    # Then: everything was adopted, nothing was made twice
    assert [fault.left for fault in faults] == [0] * len(creating)
    elb = client("elbv2")
    assert len(elb.describe_target_groups()["TargetGroups"]) == 1
    assert all(entry.state == "CREATED" for entry in ledger.entries("benthic"))
    assert len(client("ecs").list_task_definitions()["taskDefinitionArns"]) == 1


def test_one_refusal_does_not_stop_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given
    before, spec = flow.resources(), flow.spec_of("endpoint")
    payload = flow.begin(spec)
    flow.make(spec, payload)
    payload["generation"] = store.begin_deletion("benthic", "tests")
    flow.Fault("DeleteTargetGroup", "before", times=3).install(monkeypatch)
    # When
    passes = flow.remove(payload)
    # Then
    refused = [one for one in passes if one["failed"]]
    assert [one["failed"][0].split(":")[0] for one in refused] == ["target_group"] * 3
    assert "Denied" in refused[0]["failed"][0]
    assert flow.resources() == before


def test_a_creation_that_arrives_late_is_swept(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given: everything is gone but for a queue that nobody wrote into the ledger
    before, spec = flow.resources(), flow.spec_of()
    payload = flow.begin(spec)
    flow.make(spec, payload)
    queue = next(entry for entry in ledger.entries("benthic") if entry.kind == "queue")
    ledger.remove("benthic", payload["generation"], queue)
    payload["generation"] = store.begin_deletion("benthic", "tests")
    # When
    passes = flow.remove(payload)
    # Then
    assert any("queue: left over" in line for one in passes for line in one["waiting"])
    assert flow.resources() == before


def test_a_call_under_way_is_waited_for() -> None:
    # Given: the function died between its intent and its call
    spec = flow.spec_of()
    payload = flow.begin(spec)
    entry = Entry(kind="log_group", order=40, name="shoal-dev-benthic", revision=1)
    intended = ledger.intend("benthic", payload["generation"], entry)
    payload["generation"] = store.begin_deletion("benthic", "tests")
    # When / Then: not before the longest attempt is over
    for _ in range(3):
        answer = flow.handler("deletion")(payload, None)
        assert answer["waiting"] == ["log_group: its creation may still be under way"]
    ledger.attempt_ended("benthic", payload["generation"], intended)
    assert len(flow.remove(payload)) == 2


def test_what_is_foreign_is_neither_adopted_nor_removed() -> None:
    # Given
    ecs = client("ecs")
    ecs.create_cluster(clusterName="shoal-dev-benthic")
    before, spec = flow.resources(), flow.spec_of()
    payload = flow.begin(spec)
    # When
    with pytest.raises(Conflict, match="cluster shoal-dev-benthic exists and is not ours"):
        flow.make(spec, payload)
    flow.become(payload, "ROLLING_BACK")
    flow.remove(payload, "rollback")
    # Then
    assert flow.resources() == before
    assert ecs.describe_clusters(clusters=["shoal-dev-benthic"])["clusters"][0]["status"] == "ACTIVE"


def test_a_deletion_takes_the_deployment_from_the_steps_in_the_middle() -> None:
    # Given
    before, spec = flow.resources(), flow.spec_of("queue,endpoint")
    payload = flow.begin(spec)
    flow.handler("load_balancer")(payload, None)
    newer = payload | {"generation": store.begin_deletion("benthic", "tests")}
    # When / Then: whatever still runs for the old generation is dropped
    for step in ("task_cluster", "service_status", "rollback"):
        with pytest.raises(StaleWriter):
            flow.handler(step)(payload, None)
    flow.remove(newer)
    flow.become(newer, "DELETED")
    assert flow.resources() == before


def test_a_ready_deployment_is_never_torn_down_by_a_rollback() -> None:
    spec = flow.spec_of()
    payload = flow.begin(spec)
    flow.make(spec, payload)
    flow.become(payload, "READY")
    with pytest.raises(Conflict, match="READY"):
        flow.handler("rollback")(payload, None)
