"""Updates in place, their rollback and the rollback on request, through the functions' own handlers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import deployment_flow as flow
import pytest
from shoal.aws import client
from shoal.contracts.deployment import DeploymentSpec
from shoal.deployments import changes, ledger, revisions, status, store
from shoal.errors import Conflict, NotFound, ServiceNotStable, ShoalError, StaleWriter
from shoal_local import strict

HEALTHY = [{"State": "healthy"}]


@pytest.fixture(autouse=True)
def strict_account(account: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    real = status._target_health
    monkeypatch.setattr(status, "_target_health", lambda group: group and (real(group) or HEALTHY))
    with strict.installed():
        yield


def spec(**changed: Any) -> DeploymentSpec:
    return flow.spec_of("queue,endpoint", **{"fleet_size": 2} | changed)


def updated(wanted: DeploymentSpec) -> flow.Payload:
    """Claim the update, and take its steps until ECS has to work."""
    payload = flow.begin(wanted)
    flow.make(wanted, payload)
    return payload


def finish(payload: flow.Payload, name: str = "benthic") -> None:
    flow.settle(name)
    assert flow.handler("service_status")(payload, None)["ready"]
    flow.become(payload, "READY")


def fail(payload: flow.Payload, error: ShoalError | None = None) -> list[flow.Payload]:
    """As the Catch of the state machine: record, pass after pass, record."""
    caught = {"Error": type(error).__name__, "Cause": str(error)} if error else {"Error": "X", "Cause": "why"}
    flow.become(payload, "ROLLING_BACK", error=caught)
    flow.handler("rollback")(payload, None)
    flow.settle()
    passes = flow.remove(payload, "rollback")
    flow.become(payload, "FAILED", error=caught)
    return passes


@pytest.mark.parametrize(
    ("change", "definitions", "versions", "most"),
    [
        ({"args": "--conf-thres=0.3"}, 2, ["1"], 3),
        ({"model_location": "s3://shoal-models/n.onnx"}, 2, ["1"], 3),
        ({"instance_type": "g6.xlarge"}, 1, ["1", "2"], 3),
        ({"root_volume_gib": 200}, 1, ["1", "2"], 3),
        ({"fleet_size": 5}, 1, ["1"], 6),  # one more: room for the new worker beside the old one
        ({"comment": "another cruise", "notify": ["a@example.org"]}, 1, ["1"], 3),
        ({"instance_type": "g6.xlarge", "args": "--conf-thres=0.3", "fleet_size": 1}, 2, ["1", "2"], 2),
    ],
)
def test_what_changed_decides_what_is_made(
    change: dict[str, Any], definitions: int, versions: list[str], most: int
) -> None:
    # Given
    flow.ready(spec())
    kept = {one.kind: one.arn for one in ledger.entries("benthic") if one.kind not in revisions.REVISIONED}
    # When
    finish(updated(spec(**change)))
    # Then
    seen, found = flow.seen(), store.get("benthic")
    assert (len(seen["definitions"]), seen["versions"]) == (definitions, versions)
    assert (seen["runs"], seen["rules"]["maximumPercent"]) == (seen["definitions"][-1], 200)
    assert (seen["groups"][0]["LaunchTemplate"]["Version"], seen["groups"][0]["MaxSize"]) == (
        versions[-1],
        most,
    )
    assert {one.kind: one.arn for one in ledger.entries("benthic") if one.kind in kept} == kept
    assert (found.status, found.revision, found.good_revision) == ("READY", 2, 2)
    assert found.endpoint


def test_every_step_of_an_update_may_be_repeated() -> None:
    # Given
    flow.ready(spec())
    wanted = spec(args="--conf-thres=0.3", instance_type="g6.xlarge")
    payload = updated(wanted)
    once, entries = flow.seen(), ledger.entries("benthic")
    # When
    flow.make(wanted, payload)
    # Then
    assert (flow.seen(), ledger.entries("benthic")) == (once, entries)


def test_ready_is_never_said_of_the_old_task_definition() -> None:
    # Given: every step but the last, so that the service still runs the old one, steady and healthy
    flow.ready(spec())
    payload = flow.begin(spec(args="--conf-thres=0.3"))
    for step in ("load_balancer", "task_cluster", "auto_scaling_group"):
        flow.handler(step)(payload, None)
    flow.settle()
    # When / Then
    answer = flow.handler("service_status")(payload, None)
    assert (answer["ready"], "rollout not begun" in answer["reason"]) == (False, True)


FAULTS = [
    ("RegisterTaskDefinition", "before"),
    ("RegisterTaskDefinition", "lost"),
    ("RegisterTaskDefinition", "crash"),
    ("CreateLaunchTemplateVersion", "before"),
    ("CreateLaunchTemplateVersion", "lost"),
    ("CreateLaunchTemplateVersion", "crash"),
    ("UpdateAutoScalingGroup", "before"),
    ("UpdateAutoScalingGroup", "lost"),
    ("UpdateService", "before"),
    ("UpdateService", "lost"),
    ("UpdateService", "crash"),
]


@pytest.mark.long
@pytest.mark.parametrize(("operation", "when"), FAULTS)
def test_a_fault_anywhere_returns_to_the_good_revision(
    operation: str, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given
    monkeypatch.setattr(ledger, "LONGEST_ATTEMPT", timedelta(0))
    flow.ready(spec())
    before, resources, lines = flow.seen(), flow.resources(), ledger.entries("benthic")
    payload = flow.begin(spec(args="--conf-thres=0.3", instance_type="g6.xlarge"))
    fault = flow.Fault(operation, when).install(monkeypatch)
    # When
    with pytest.raises((ShoalError, MemoryError)):
        flow.make(spec(), payload)
    fail(payload)
    # Then: nothing of it is left, and what was there is as it was
    assert fault.left == 0
    assert (flow.seen(), flow.resources()) == (before, resources)
    assert ledger.entries("benthic") == lines
    found = store.get("benthic")
    assert (found.status, found.revision, found.spec) == ("READY", 1, spec())
    assert "revision 2 failed, revision 1 serves" in found.reason


def test_a_revision_that_does_not_run_returns_to_the_good_one() -> None:
    # Given
    flow.ready(spec(notify=["a@example.org"]))
    before = flow.seen()
    payload = updated(spec(args="--conf-thres=0.3", instance_type="g6.xlarge", notify=["a@example.org"]))
    assert flow.seen()["runs"] != before["runs"]
    flow.settle(failed=True)
    # When
    with pytest.raises(ServiceNotStable, match="the rollout failed"):
        flow.handler("service_status")(payload, None)
    fail(payload, ServiceNotStable("tasks failed to start"))
    # Then
    assert flow.seen() == before
    good, failed = reversed(revisions.listed("benthic"))
    assert (bool(good.ready_at), bool(failed.ready_at)) == (True, False)
    newest = revisions.changes("benthic")[0]
    assert (newest.action, newest.revision, newest.outcome) == ("update", 2, "FAILED")
    assert "tasks failed to start" in newest.outcome_reason
    # and the number is not given again
    assert store.claim(spec(fleet_size=3), "tests").revision == 3


def test_the_failed_revision_goes_only_when_the_good_one_is_steady() -> None:
    # Given
    flow.ready(spec())
    payload = updated(spec(args="--conf-thres=0.3"))
    failing = flow.seen()["runs"]
    flow.become(payload, "ROLLING_BACK")
    # When: ECS has not yet started the old one again
    first = flow.handler("rollback")(payload, None)
    # Then
    assert (first["empty"], first["waiting"][0].split(":")[0]) == (False, "service")
    assert failing in flow.seen()["definitions"]


def test_an_update_that_cannot_be_undone_says_so_and_can_be_rolled_back_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Given
    flow.ready(spec())
    before = flow.seen()
    payload = updated(spec(args="--conf-thres=0.3"))
    flow.become(payload, "ROLLING_BACK")
    with monkeypatch.context() as patched:
        flow.Fault("UpdateService", "before", times=99).install(patched)
        with pytest.raises(ShoalError):
            flow.handler("rollback")(payload, None)
    flow.become(payload, "ROLLBACK_FAILED", error={"Error": "Denied", "Cause": "ecs:UpdateService"})
    assert store.get("benthic").status == "UPDATE_ROLLBACK_FAILED"
    # When
    claim = changes.rollback("benthic", "someone")
    again = {"deployment": "benthic", "revision": claim.revision, "generation": claim.generation}
    flow.make(spec(), again)
    finish(again)
    # Then
    assert (claim.revision, store.get("benthic").status) == (1, "READY")
    assert flow.seen()["runs"] == before["runs"]


def test_a_rollback_on_request_uses_what_the_revision_was_ready_with() -> None:
    # Given
    flow.ready(spec())
    first = flow.seen()
    finish(updated(spec(args="--conf-thres=0.3", instance_type="g6.xlarge")))
    second = flow.seen()
    # When
    claim = changes.rollback("benthic", "someone", reason="fewer false jellies")
    payload = {"deployment": "benthic", "revision": claim.revision, "generation": claim.generation}
    flow.make(spec(), payload)
    finish(payload)
    # Then
    third = flow.seen()
    assert (third["runs"], third["groups"]) == (first["runs"], first["groups"])
    assert (third["definitions"], third["versions"]) == (second["definitions"], second["versions"])
    newest = revisions.changes("benthic")[0]
    assert (newest.action, newest.revision, newest.actor, newest.outcome) == (
        "rollback", 1, "someone", "READY",
    )  # fmt: skip
    assert newest.reason == "back to revision 1: fewer false jellies"
    assert store.get("benthic").spec == spec()
    # and a new update is compared with revision 1, not with the newest number
    assert store.claim(spec(fleet_size=3), "tests").revision == 3
    assert store.get("benthic").uses == {"task_definition": 1, "launch_template_version": 1}


def test_a_rollback_that_fails_returns_and_keeps_both_revisions() -> None:
    # Given
    flow.ready(spec())
    finish(updated(spec(args="--conf-thres=0.3")))
    before = flow.seen()
    claim = changes.rollback("benthic", "someone", 1)
    payload = {"deployment": "benthic", "revision": claim.revision, "generation": claim.generation}
    flow.make(spec(), payload)
    # When
    fail(payload)
    # Then
    assert flow.seen() == before
    assert store.get("benthic").revision == 2


@pytest.mark.parametrize(
    ("number", "error", "words"),
    [(9, NotFound, "GET /deploy/benthic/revisions"), (2, Conflict, "never was READY"), (1, None, "")],
)
def test_what_may_be_rolled_back_to(number: int, error: type[ShoalError] | None, words: str) -> None:
    # Given revision 2 that failed, revision 3 that serves
    flow.ready(spec())
    fail(updated(spec(args="--conf-thres=0.3")))
    finish(updated(spec(args="--conf-thres=0.4")))
    # When / Then
    if error is None:
        assert changes.rollback("benthic", "tests", number).revision == number
        return
    with pytest.raises(error, match=words):
        changes.rollback("benthic", "tests", number)


def test_revisions_of_a_deleted_deployment_cannot_be_rolled_back_to() -> None:
    # Given
    payload = flow.ready(flow.spec_of("endpoint"))
    payload["generation"] = store.begin_deletion("benthic", "tests")
    flow.remove(payload)
    flow.become(payload, "DELETED")
    flow.ready(flow.spec_of("endpoint"))
    # When / Then
    with pytest.raises(Conflict, match="revision 1 of benthic was deleted"):
        changes.rollback("benthic", "tests", 1)
    with pytest.raises(Conflict, match="no good revision before 2"):
        changes.rollback("benthic", "tests")


@pytest.mark.parametrize(
    ("change", "fields"),
    [
        ({"serves": "queue"}, ["serves"]),
        ({"compute": "fargate-cpu"}, ["compute"]),
        ({"task_family": "other"}, ["task_family"]),
    ],
)
def test_what_cannot_change_in_place_is_refused(change: dict[str, Any], fields: list[str]) -> None:
    flow.ready(spec())
    wanted = flow.spec_of(**{"serves": "queue,endpoint", "fleet_size": 2} | change)
    with pytest.raises(Conflict, match="cannot change in place") as refused:
        store.claim(wanted, "tests")
    assert [one["field"] for one in refused.value.errors] == fields


def test_a_deletion_in_the_middle_of_an_update_leaves_nothing() -> None:
    # Given
    before = flow.resources()
    flow.ready(spec())
    old = updated(spec(args="--conf-thres=0.3", instance_type="g6.xlarge"))
    # When
    payload = old | {"generation": store.begin_deletion("benthic", "tests")}
    # Then
    for step in ("task_cluster", "ecs_service", "service_status", "rollback"):
        with pytest.raises(StaleWriter):
            flow.handler(step)(old, None)
    flow.remove(payload)
    flow.become(payload, "DELETED")
    assert (flow.resources(), ledger.entries("benthic")) == (before, [])


def test_a_busy_queue_worker_may_finish_its_video() -> None:
    """A protected old worker may take hours; half of the deadline without a failure is enough."""
    # Given
    flow.ready(flow.spec_of("queue"))
    payload = flow.begin(flow.spec_of("queue", args="--conf-thres=0.3"))
    flow.make(flow.spec_of("queue"), payload)
    service: Any = flow.get_backend("ecs")["123456789012"]["us-west-2"].services
    (one,) = service.values()
    one.deployments[1].update(runningCount=1)
    # When / Then
    assert flow.handler("service_status")(payload, None)["ready"] is False
    one.deployments[0]["createdAt"] -= timedelta(seconds=800)
    answer = flow.handler("service_status")(payload, None)
    assert (answer["ready"], "finish their videos" in answer["reason"]) == (True, True)
    one.deployments[0].update(failedTasks=1)
    assert flow.handler("service_status")(payload, None)["ready"] is False


def watching() -> dict[str, Any]:
    """What every alarm and the dashboard of the deployment are set to."""
    alarms = client("cloudwatch").describe_alarms(AlarmNamePrefix="shoal-dev-benthic-")["MetricAlarms"]
    (name,) = [one["DashboardName"] for one in client("cloudwatch").list_dashboards()["DashboardEntries"]]
    body = client("cloudwatch").get_dashboard(DashboardName=name)["DashboardBody"]
    volatile = ("StateUpdatedTimestamp", "AlarmConfigurationUpdatedTimestamp")
    kept = [{key: value for key, value in one.items() if key not in volatile} for one in alarms]
    return {one["AlarmName"].removeprefix("shoal-dev-benthic-"): one for one in kept} | {"dashboard": body}


@pytest.mark.parametrize("ends", ["ready", "returned", "asked for"])
def test_the_alarms_and_the_dashboard_are_of_the_revision_that_serves(ends: str) -> None:
    # Given
    flow.ready(spec())
    before = watching()
    # When
    payload = updated(spec(timeout_hours=5))
    later = watching()
    if ends == "returned":
        fail(payload)
    else:
        finish(payload)
    if ends == "asked for":
        claim = changes.rollback("benthic", "someone")
        back = {"deployment": "benthic", "revision": claim.revision, "generation": claim.generation}
        flow.make(spec(), back)
        finish(back)
    # Then: 5 hours and one to gather; what does not follow from it was not touched
    assert [key for key in before if before[key] != later[key]] == ["oldest-video", "dashboard"]
    assert (before["oldest-video"]["Threshold"], later["oldest-video"]["Threshold"]) == (10_800, 21_600)
    assert '{"value": 21600, "label": "alarm"}' in later["dashboard"]
    assert watching() == (later if ends == "ready" else before)


def test_an_update_that_changes_nothing_watched_sets_no_alarm(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given
    flow.ready(spec())
    calls = flow.Fault("none", "before").install(monkeypatch).called
    # When
    finish(updated(spec(args="--conf-thres=0.3")))
    # Then
    assert {"PutMetricAlarm", "PutDashboard"} & set(calls) == set()


@pytest.mark.parametrize(
    ("operation", "when"),
    [("PutMetricAlarm", "lost"), ("PutMetricAlarm", "crash"), ("PutDashboard", "before")],
)
def test_a_fault_at_an_alarm_returns_to_the_good_revision(
    operation: str, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given
    flow.ready(spec())
    before = watching()
    payload = flow.begin(spec(timeout_hours=5))
    flow.Fault(operation, when).install(monkeypatch)
    # When
    with pytest.raises((ShoalError, MemoryError)):
        flow.make(spec(), payload)
    fail(payload)
    # Then
    assert watching() == before
    assert {one.attempt_until for one in ledger.entries("benthic")} == {""}


def test_an_alarm_that_cannot_be_set_back_keeps_nothing_else_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given
    flow.ready(spec())
    before = flow.seen()
    payload = updated(spec(timeout_hours=5, args="--conf-thres=0.3"))
    flow.become(payload, "ROLLING_BACK")
    flow.handler("rollback")(payload, None)
    flow.settle()
    # When
    with monkeypatch.context() as patched:
        flow.Fault("PutMetricAlarm", "before", times=99).install(patched)
        passes = [flow.handler("rollback")(payload, None) for _ in range(4)]
    # Then
    assert [one.split(":")[0] for one in passes[-1]["failed"]] == ["alarms"]
    assert (passes[-1]["empty"], passes[-1]["waiting"]) == (False, [])
    assert flow.seen() == before
    assert flow.remove(payload, "rollback")[-1]["empty"]
