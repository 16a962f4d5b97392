"""Update, rollback, stop, start and history through the real handlers; Idempotency-Key on each of them."""

from __future__ import annotations

from typing import Any

import pytest
from rest_world import Reply, World, desired, load_app, move
from shoal import deployments, table
from shoal.api import idempotency
from shoal.aws import client
from shoal.contracts.status import DeploymentStatus as S

REEF: dict[str, Any] = {
    "name": "reef", "model_location": "s3://shoal-data/models/reef.onnx", "fleet_size": 3,
    "serves": ["queue"],
}  # fmt: skip
VIDEO = {"videos": ["videos/reef/a.mp4"]}


@pytest.fixture
def reef(world: World) -> World:
    """A READY deployment of :data:`REEF`."""
    world.ready("reef")
    return world


def keyed(world: World, key: str, method: str, path: str, body: Any = None) -> Reply:
    headers = {"Content-Type": "application/json", "idempotency-KEY": key}
    return world.call(method, path, body, headers=headers)


def finish(*statuses: S) -> None:
    move("reef", deployments.get("reef").generation, *statuses)


@pytest.mark.parametrize(("method", "path"), [("POST", "/deploy"), ("PUT", "/deploy/reef")])
def test_a_changed_specification_updates_in_place(reef: World, method: str, path: str) -> None:
    # When
    first = reef.call(method, path, REEF | {"args": "--conf-thres=0.3"})
    again = reef.call(method, path, REEF | {"args": "--conf-thres=0.3"})
    # Then
    assert (first.status, first.body["status"], first.body["revision"]) == (202, "UPDATING", 2)
    assert (again.status, again.body) == (202, first.body)
    newest = {one["name"] for one in reef.executions("deploy")}
    assert newest == {"reef-r1-g1", "reef-r2-g2"}
    # and the queue is there all the while
    assert reef.call("GET", "/deploy/reef").body["queue_url"]
    assert reef.call("POST", "/deploy/reef/jobs", VIDEO).status == 202


def test_the_same_specification_changes_nothing(reef: World) -> None:
    for method, path in (("POST", "/deploy"), ("PUT", "/deploy/reef")):
        answer = reef.call(method, path, REEF)
        assert (answer.status, answer.body["revision"]) == (200, 1)
    assert len(reef.executions("deploy")) == 1


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (REEF | {"name": "other"}, 422, "the path says reef"),
        ({key: value for key, value in REEF.items() if key != "name"}, 200, ""),  # the path names it
        (REEF | {"serves": ["endpoint"]}, 409, "serves of reef cannot change in place"),
        (None, 400, "the whole specification"),
    ],
)
def test_put_wants_the_whole_specification_of_that_name(
    reef: World, body: Any, status: int, words: str
) -> None:
    answer = reef.call("PUT", "/deploy/reef", body)
    assert (answer.status, words in str(answer.body)) == (status, True)


@pytest.mark.parametrize("path", ["", "/rollback", "/stop", "/start"])
@pytest.mark.parametrize("deleted", [False, True])
def test_what_is_not_there_cannot_be_changed(world: World, path: str, deleted: bool) -> None:
    # Given
    if deleted:
        world.ready("reef")
        world.call("DELETE", "/deploy/reef")
        finish(S.DELETED)
    # When
    answer = world.call("POST" if path else "PUT", f"/deploy/reef{path}", None if path else REEF)
    # Then
    assert (answer.status, answer.body["code"]) == (404, "not-found")


def test_history_says_who_when_and_why(reef: World) -> None:
    # Given
    reef.call("PUT", "/deploy/reef", REEF | {"args": "--conf-thres=0.3", "fleet_size": 4})
    finish(S.READY)
    # When
    answer = reef.call("POST", "/deploy/reef/rollback", {"reason": "fewer false jellies"})
    # Then
    assert (answer.status, answer.body["status"], answer.body["revision"]) == (202, "UPDATING", 1)
    second, first = reef.call("GET", "/deploy/reef/revisions").body["revisions"]
    assert (first["revision"], first["wanted"], second["revision"], second["wanted"]) == (1, True, 2, False)
    assert sorted(second["changed"]) == ["args", "fleet_size"]
    assert second["ready_at"] >= second["created_at"]
    back, deployed = first["changes"]
    assert (back["action"], back["reason"]) == ("rollback", "back to revision 1: fewer false jellies")
    assert (deployed["action"], deployed["outcome"]) == ("deploy", "READY")
    assert back["actor"].endswith("user/scientist")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"revision": 1}, 200, None),  # it is the wanted one, and READY
        ({"revision": 7}, 404, "not-found"),
        ({"revision": 0}, 422, "invalid-request"),
        ({"revison": 1}, 422, "invalid-request"),
        (None, 409, "conflict"),  # there is no good one before the first
    ],
)
def test_rollback_to(reef: World, body: Any, status: int, code: str | None) -> None:
    answer = reef.call("POST", "/deploy/reef/rollback", body)
    assert (answer.status, answer.body.get("code")) == (status, code)


def test_a_stopped_deployment_keeps_its_jobs_and_is_not_woken(reef: World) -> None:
    # Given
    reef.upload(*VIDEO["videos"])
    # When
    stopped = reef.call("POST", "/deploy/reef/stop", {"reason": "no ship time"})
    submitted = reef.call("POST", "/deploy/reef/jobs", VIDEO)
    # Then
    assert (stopped.status, stopped.body["status"]) == (202, "STOPPING")
    assert (submitted.status, submitted.body["desired_workers"]) == (202, 0)
    assert desired("reef") == 0
    jobs = reef.call("GET", "/deploy/reef/jobs").body["jobs"]
    assert [job["status"] for job in jobs] == ["QUEUED"]  # in the table, which feeds the queue
    # and stopping again is the same stop
    assert reef.call("POST", "/deploy/reef/stop").body == stopped.body
    assert deployments.get("reef").generation == 2


def test_start_brings_it_back_by_the_same_machine(reef: World) -> None:
    # Given
    reef.call("POST", "/deploy/reef/stop")
    finish(S.STOPPED)
    # When
    answer, again = (reef.call("POST", "/deploy/reef/start") for _ in range(2))
    # Then
    assert (answer.status, answer.body["status"], again.body) == (202, "STARTING", answer.body)
    assert "reef-r1-g3" in {one["name"] for one in reef.executions("deploy")}
    finish(S.READY)
    assert reef.call("POST", "/deploy/reef/start").status == 200
    actions = [one["action"] for one in _changes(reef)]
    assert actions == ["start", "stop", "deploy"]


def _changes(world: World) -> list[dict[str, Any]]:
    (only,) = world.call("GET", "/deploy/reef/revisions").body["revisions"]
    return list(only["changes"])


def test_a_key_answers_alike_even_when_the_world_has_moved_on(reef: World) -> None:
    # Given
    first = keyed(reef, "k-1", "POST", "/deploy/reef/stop", {"reason": "night"})
    finish(S.STOPPED)
    # When
    again = keyed(reef, "k-1", "POST", "/deploy/reef/stop", {"reason": "night"})
    # Then
    assert (again.status, again.body, again.headers["Location"]) == (
        first.status, first.body, first.headers["Location"],
    )  # fmt: skip
    assert again.body["status"] == "STOPPING"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/deploy/reef/stop", {"reason": "another"}),
        ("POST", "/deploy/reef/rollback", {"reason": "night"}),
        ("PUT", "/deploy/reef", REEF),
    ],
)
def test_a_key_belongs_to_one_request(reef: World, method: str, path: str, body: Any) -> None:
    keyed(reef, "k-1", "POST", "/deploy/reef/stop", {"reason": "night"})
    answer = keyed(reef, "k-1", method, path, body)
    assert (answer.status, "another request" in answer.body["detail"]) == (409, True)


def test_a_rollback_without_a_number_is_done_once_under_its_key(reef: World) -> None:
    # Given
    reef.call("PUT", "/deploy/reef", REEF | {"args": "--conf-thres=0.3"})
    finish(S.READY)
    keyed(reef, "back", "POST", "/deploy/reef/rollback")
    finish(S.READY)
    # When
    again = keyed(reef, "back", "POST", "/deploy/reef/rollback")
    # Then: without the key there would be no revision before the first
    assert (again.status, deployments.get("reef").revision) == (202, 1)


def test_a_refused_request_leaves_its_key_free(reef: World) -> None:
    assert keyed(reef, "k", "POST", "/deploy", REEF | {"serves": ["endpoint"]}).status == 409
    assert keyed(reef, "k", "POST", "/deploy", REEF).status == 200


def test_a_key_is_kept_for_a_day_whether_dynamodb_has_deleted_it_or_not(
    reef: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given
    keyed(reef, "k", "POST", "/deploy", REEF)
    now = idempotency.time.time()
    # When
    for later, status in ((idempotency.KEPT_SECONDS - 60, 409), (idempotency.KEPT_SECONDS + 60, 202)):
        monkeypatch.setattr(idempotency.time, "time", lambda later=later: now + later)
        # Then
        assert keyed(reef, "k", "POST", "/deploy", REEF | {"fleet_size": 4}).status == status


def test_a_key_whose_function_died_is_free_for_the_same_request_after_its_time(
    reef: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given
    def dies(*_: Any) -> None:
        raise MemoryError

    with monkeypatch.context() as patched:
        patched.setattr(deployments, "claim", dies)
        assert keyed(reef, "k", "POST", "/deploy", REEF).status == 500
    now = idempotency.time.time()
    # When / Then
    assert "being worked on" in keyed(reef, "k", "POST", "/deploy", REEF).body["detail"]
    monkeypatch.setattr(idempotency.time, "time", lambda: now + 31)
    assert keyed(reef, "k", "POST", "/deploy", REEF | {"fleet_size": 4}).status == 409
    assert keyed(reef, "k", "POST", "/deploy", REEF).status == 200


@pytest.mark.parametrize("key", ["", "a b", "k" * 256, "k\x7f"])
def test_what_is_no_key(reef: World, key: str) -> None:
    answer = keyed(reef, key, "POST", "/deploy", REEF)
    assert (answer.status, "Idempotency-Key" in answer.body["detail"]) == (422, True)


def test_two_people_may_choose_the_same_key(reef: World) -> None:
    keyed(reef, "k", "POST", "/deploy", REEF)
    partitions = client("dynamodb").scan(TableName="deployments")["Items"]
    keys = [one["pk"]["S"] for one in partitions if one["pk"]["S"].startswith("IDEMPOTENCY#")]
    assert len(keys) == 1
    assert "scientist" not in keys[0]
    assert table.read({"pk": keys[0], "sk": "REQUEST"})["expires_at"] > 0


def test_the_reconciler_sends_a_stopped_fleet_to_nothing_and_keeps_it_there(reef: World) -> None:
    # Given a wake-up that was under way when it was stopped
    reef.call("POST", "/deploy/reef/stop")
    _group("shoal-dev-reef")
    client("ecs").update_service(cluster="shoal-dev-reef", service="shoal-dev-reef", desiredCount=2)
    run = load_app("fleet_reconciler").lambda_handler
    # When / Then: its instance first loses its protection, then it is gone
    run({}, None)
    assert (desired("reef"), deployments.get("reef").status) == (0, S.STOPPING)
    run({}, None)
    assert deployments.get("reef").status is S.STOPPED
    # and whoever wakes it now is taken back
    client("ecs").update_service(cluster="shoal-dev-reef", service="shoal-dev-reef", desiredCount=1)
    run({}, None)
    group = client("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"][0]
    assert (desired("reef"), group["MaxSize"], group["Instances"]) == (0, 0, [])


def _group(name: str) -> None:
    client("ec2").create_launch_template(
        LaunchTemplateName=name, LaunchTemplateData={"ImageId": "ami-12345678", "InstanceType": "t3.micro"}
    )
    client("autoscaling").create_auto_scaling_group(
        AutoScalingGroupName=name,
        LaunchTemplate={"LaunchTemplateName": name, "Version": "1"},
        MinSize=0,
        MaxSize=3,
        DesiredCapacity=1,
        AvailabilityZones=["us-west-2a"],
        NewInstancesProtectedFromScaleIn=True,
    )
