"""POST, GET and DELETE on /deploy through the real handlers, on moto."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from rest_world import ACCOUNT, SEED_BUCKETS, World, move
from shoal import deployments, table
from shoal.aws import client
from shoal.contracts.status import DeploymentStatus
from shoal.deployments import executions
from shoal.settings import settings

S = DeploymentStatus
REEF = {"name": "reef", "model_location": "s3://shoal-data/models/reef.onnx"}

SEED_YAML = f"""Comment: This stack deploys the Megadetector YOLOv5 model
StackName: Megadetector
TaskDefinition: strongsort-yolov5
ContainerImage: {ACCOUNT}.dkr.ecr.us-west-2.amazonaws.com/mbari/strongsort-yolov5:1.10.0
FleetSize: 1
BlockDeviceVolumeGBRoot: 10
TimeoutHours: 2
model_location: s3://{SEED_BUCKETS[0]}/Megadetector.pt
track_config: s3://{SEED_BUCKETS[1]}/strong_sort_benthic.yaml
"""
SEED_YAML_SHORT = "".join(
    line for line in SEED_YAML.splitlines(keepends=True) if not line.startswith(("Block", "Timeout"))
)


@pytest.fixture
def model(world: World) -> World:
    world.put("shoal-data", "models/reef.onnx")
    return world


@pytest.fixture
def seed(world: World) -> World:
    for name in ("Megadetector.pt", "Megadetector.onnx"):
        world.put(SEED_BUCKETS[0], name)
    world.put(SEED_BUCKETS[1], "strong_sort_benthic.yaml")
    return world


def test_a_deployment_is_accepted_and_its_execution_started(model: World) -> None:
    # When
    answer = model.call("POST", "/deploy", REEF | {"serves": ["queue", "endpoint"]})
    # Then
    assert (answer.status, answer.headers["Location"]) == (202, "/prod/deploy/reef")
    assert answer.body == {
        "name": "reef",
        "status": "ACCEPTED",
        "revision": 1,
        "adjustments": [],
        "links": {
            "self": "/deploy/reef",
            "revisions": "/deploy/reef/revisions",
            "jobs": "/deploy/reef/jobs",
        },
    }
    (execution,) = model.executions("deploy")
    assert execution["name"] == "reef-r1-g1"
    assert json.loads(execution["input"]) == {
        "deployment": "reef",
        "revision": 1,
        "generation": 1,
        "plan": {"endpoint": True, "compute": "ec2-gpu"},
    }
    assert deployments.get("reef").execution_arn == execution["executionArn"]


@pytest.mark.parametrize(
    ("text", "content_type", "volume"),
    [
        (SEED_YAML, "application/yaml", 30),
        (SEED_YAML, "text/yaml; charset=utf-8", 30),
        (SEED_YAML_SHORT, "application/x-yaml", 100),  # the seed's other example
    ],
)
def test_a_seed_stack_file_deploys_unchanged(seed: World, text: str, content_type: str, volume: int) -> None:
    # When
    answer = seed.call("POST", "/deploy", text, content_type=content_type)
    # Then
    assert answer.status == 202, answer.body
    found = deployments.get("megadetector").spec
    assert (found.fleet_size, found.root_volume_gib, found.timeout_hours) == (1, volume, 2.0)
    assert (found.task_family, found.model_location) == (
        "strongsort-yolov5",
        f"s3://{SEED_BUCKETS[0]}/Megadetector.onnx",
    )
    adjusted = {one["field"]: (one["given"], one["used"]) for one in answer.body["adjustments"]}
    assert adjusted.pop("StackName") == ("Megadetector", "megadetector")
    assert adjusted.pop("model_location")[0].endswith(".pt")
    assert adjusted == ({"BlockDeviceVolumeGBRoot": ("10", "30")} if volume == 30 else {})


def test_the_same_seed_as_json_is_the_same_deployment(seed: World) -> None:
    # Given
    import yaml

    seed.call("POST", "/deploy", SEED_YAML, content_type="application/yaml")
    # When
    answer = seed.call("POST", "/deploy", yaml.safe_load(SEED_YAML))
    # Then
    assert (answer.status, answer.body["revision"], len(answer.body["adjustments"])) == (202, 1, 3)
    assert len(seed.executions("deploy")) == 1


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (
            {"model-version": 1, "ecr-version": "latest", "ram": "2048Mi", "cpu": "1"},
            {"memory_mib": 2048, "cpu": 1024, "model_version": 1},
        ),
        (
            {"model-version": "1", "ecr-version": 7, "ram": "1048", "cpu": "2", "deployment-type": "deploy"},
            {"memory_mib": 1048, "cpu": 2048, "image_version": "7"},
        ),
        ({"instance_type": "g4dn.xlarge", "cpu": 0.5, "ram": "2Gi"}, {"cpu": 512, "memory_mib": 2048}),
    ],
)
def test_the_seeds_initiate_deployment(
    model: World, config: dict[str, Any], expected: dict[str, Any]
) -> None:
    # Given a registered model with a built image
    _register(model, "Siri_Model", 1)
    _record_image("Siri_Model", 1)
    # When
    answer = model.call("POST", "/initiate-deployment", {"config": {"registry-name": "Siri_Model"} | config})
    # Then
    assert (answer.status, answer.body["name"]) == (202, "siri-model"), answer.body
    spec = deployments.get("siri-model").spec
    assert spec.model_dump(include=set(expected)) == expected
    assert spec.serves == ("endpoint",)
    assert (spec.registered_model, spec.model_location) == ("Siri_Model", "s3://shoal-data/models/reef.onnx")
    assert spec.image == f"{ACCOUNT}.dkr.ecr.us-west-2.amazonaws.com/reef@sha256:{'a' * 64}"


def test_the_newest_version_is_meant_when_none_is_named(model: World) -> None:
    # Given
    _register(model, "reef", 3)
    # When
    answer = model.call("POST", "/deploy", {"name": "reef", "registered_model": "reef"})
    # Then
    assert answer.status == 202
    assert deployments.get("reef").spec.model_version == 3


@pytest.mark.parametrize(
    ("change", "field", "says"),
    [
        ({"name": "1reef"}, "name", "pattern"),
        ({"name": "a" * 25}, "name", "pattern"),
        ({"fleet_size": "3"}, "fleet_size", "integer"),
        ({"fleet_size": True}, "fleet_size", "integer"),
        ({"FleetSize": 0}, "FleetSize", "greater than or equal to 1"),
        ({"TimeoutHours": 12}, "TimeoutHours", "less than or equal to 11.5"),
        ({"fleetsize": 3}, "fleetsize", "did you mean"),
        ({"zebra": 1}, "zebra", "remove it"),
        ({"serves": ["mail"]}, "serves.0", "'queue' or 'endpoint'"),
        ({"notify": ["nobody"]}, "notify.0", "email"),
        ({"model_location": None}, "", "name the model"),
        ({"model_location": "s3://shoal-data/models/none.onnx"}, "model_location", "no object"),
        ({"model_location": "s3://shoal-data/models/lone.pt"}, "model_location", "format=onnx"),
        ({"model_location": "s3://shoal-data/models/none.pt"}, "model_location", "no object"),
        ({"model_location": "s3://elsewhere/reef.onnx"}, "model_location", "ModelBuckets"),
        ({"model_location": "s3://shoal-data/models/../reef.onnx"}, "model_location", "dot parts"),
        ({"model_location": "s3://shoal-data/models//reef.onnx"}, "model_location", "empty part"),
        ({"model_location": "https://example.org/reef.onnx"}, "model_location", "pattern"),
        ({"track_config": "s3://shoal-data/none.yaml"}, "track_config", "no object"),
        ({"image_version": "1"}, "image_version", "registered_model"),
        ({"model_location": None, "registered_model": "none"}, "registered_model", "no model none"),
        (
            {"model_location": None, "registered_model": "known", "model_version": 9},
            "model_version",
            "version 9",
        ),
        (
            {"model_location": None, "registered_model": "known", "ecr-version": "9"},
            "image_version",
            "none was built",
        ),
        (
            {"registered_model": "known", "model_location": "s3://shoal-data/models/x.onnx"},
            "model_location",
            "leave",
        ),
    ],
)
def test_what_is_wrong_is_named(model: World, change: dict[str, Any], field: str, says: str) -> None:
    # Given
    model.put("shoal-data", "models/lone.pt")
    _register(model, "known", 1)
    # When
    answer = model.call("POST", "/deploy", REEF | change)
    # Then
    assert (answer.status, answer.body["code"]) == (422, "invalid-request")
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert (answer.body["errors"][0]["field"], True) == (field, says in answer.body["errors"][0]["detail"])
    assert deployments.find("reef") is None


@pytest.mark.parametrize(("code", "status"), [("403", 422), ("503", 503), ("500", 503), ("400", 502)])
def test_s3_may_refuse(model: World, monkeypatch: pytest.MonkeyPatch, code: str, status: int) -> None:
    # Given a bucket that answers with an error
    class Bucket:
        def head_object(self, **_: str) -> None:
            raise ClientError({"Error": {"Code": code, "Message": "secret"}}, "HeadObject")

    monkeypatch.setattr("shoal.api.model_source.client", lambda service: Bucket())
    # When
    answer = model.call("POST", "/deploy", REEF)
    # Then
    assert (answer.status, "secret" in json.dumps(answer.body)) == (status, False)
    assert answer.headers.get("Retry-After") == ("5" if status == 503 else None)
    fields = {one["field"] for one in answer.body["errors"]}
    assert fields == ({"model_location"} if status == 422 else set())


@pytest.mark.parametrize("image", ["", "registry.example.org/own:1"])
def test_without_a_worker_image_of_the_stack_one_must_be_named(
    model: World, monkeypatch: pytest.MonkeyPatch, image: str
) -> None:
    # Given
    monkeypatch.setenv("WORKER_IMAGE", "")
    settings.cache_clear()
    # When
    answer = model.call("POST", "/deploy", REEF | ({"image": image} if image else {}))
    # Then
    fields = [one["field"] for one in answer.body.get("errors", [])]
    assert (answer.status, fields) == ((202, []) if image else (422, ["image"]))


@pytest.mark.parametrize(
    ("config", "field"),
    [
        ({}, "config"),
        ({"config": {"model-version": 1}}, "config.registry-name"),
        ({"config": {"registry-name": "reef", "model-version": []}}, "config.model-version.int"),
        ({"config": {"registry-name": "reef", "ram": "much"}}, "ram"),
        ({"config": {"registry-name": "reef", "cpu": "a"}}, "cpu"),
        ({"config": {"registry-name": "reef", "model-version": 0}}, "model-version"),
        ({"config": {"registry-name": "reef", "deployment-type": "Build"}}, "deployment-type"),
    ],
)
def test_a_wrong_seed_body_is_named(world: World, config: dict[str, Any], field: str) -> None:
    answer = world.call("POST", "/initiate-deployment", config)
    assert (answer.status, answer.body["errors"][0]["field"]) == (422, field)


@pytest.mark.parametrize(
    ("statuses", "same", "other"),
    [
        ((), (202, 1), 409),
        ((S.DEPLOYING,), (202, 1), 409),
        ((S.DEPLOYING, S.READY), (200, 1), 202),
        ((S.DEPLOYING, S.ROLLING_BACK), (409, None), 409),
        ((S.DEPLOYING, S.ROLLING_BACK, S.FAILED), (202, 2), 202),
        ((S.DEPLOYING, S.ROLLING_BACK, S.ROLLBACK_FAILED), (409, None), 409),
        ((S.DELETING,), (409, None), 409),
        ((S.DELETING, S.DELETED), (202, 2), 202),
        ((S.DELETING, S.DELETE_INCOMPLETE), (409, None), 409),
    ],
)
def test_a_second_request(
    model: World, statuses: tuple[DeploymentStatus, ...], same: tuple[int, int | None], other: int
) -> None:
    # Given
    model.call("POST", "/deploy", REEF)
    move("reef", 1, *statuses)
    # When another specification is sent, then the same
    if other == 409:
        refused = model.call("POST", "/deploy", REEF | {"fleet_size": 2})
        assert (refused.status, refused.body["code"]) == (409, "conflict")
        advice = "wait until it is DELETED" if statuses == (S.DELETING,) else "DELETE /deploy/reef"
        assert advice in refused.body["detail"]
    answer = model.call("POST", "/deploy", REEF)
    # Then
    assert (answer.status, answer.body.get("revision")) == same
    assert len(model.executions("deploy")) == (2 if same[1] == 2 else 1)


def forget_execution() -> None:
    """As a caller leaves it that died between the claim and the answer of StartExecution."""
    forget = {"Key": table.state_key("reef"), "UpdateExpression": "REMOVE execution_arn"}
    table.write({"Update": forget})


def test_what_is_ready_is_not_started_again_where_its_start_was_never_answered(
    model: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given
    model.call("POST", "/deploy", REEF)
    forget_execution()
    move("reef", 1, S.DEPLOYING, S.READY)
    monkeypatch.setattr(executions, "start", lambda *_: pytest.fail("begun again"))
    # When
    answer = model.call("POST", "/deploy", REEF)
    # Then
    assert (answer.status, answer.body["status"]) == (200, "READY")


def test_a_claim_whose_execution_was_never_started_is_started_by_the_same_request(model: World) -> None:
    # Given
    model.call("POST", "/deploy", REEF)
    arn = deployments.get("reef").execution_arn
    forget_execution()
    # When
    answer = model.call("POST", "/deploy", REEF)
    # Then the name of the execution makes it one and the same
    assert (answer.status, deployments.get("reef").execution_arn) == (202, arn)
    assert len(model.executions("deploy")) == 1


def test_a_description_shows_the_ledger_and_the_history(world: World) -> None:
    # Given
    url = world.ready("reef", serves=("queue", "endpoint"))
    entry = {"kind": "queue", "order": 50, "name": "shoal-dev-reef-jobs", "revision": 1, "state": "CREATED"}
    item = {"pk": "DEPLOYMENT#reef", "sk": "RESOURCE#050#queue", "arn": "arn:aws:sqs:::q"} | entry
    table.write({"Put": {"Item": item}})
    # When
    answer = world.call("GET", "/deploy/reef")
    # Then
    body = answer.body
    assert (answer.status, body["status"], body["queue_url"]) == (200, "READY", url)
    assert body["endpoint"] == "http://balancer.example.org:5001"
    assert body["resources"] == [
        {
            "kind": "queue",
            "name": "shoal-dev-reef-jobs",
            "state": "CREATED",
            "arn": "arn:aws:sqs:::q",
            "revision": 1,
        }
    ]
    assert [one["status"] for one in body["events"]] == ["ACCEPTED", "DEPLOYING", "READY"]
    assert body["events"][0]["actor"] == f"arn:aws:iam::{ACCOUNT}:user/scientist"
    assert body["spec"]["model_location"] == REEF["model_location"]


@pytest.mark.parametrize("name", ["none", "None", "%2e%2e", "a", "x" * 30, "r$$f"])
def test_an_unknown_deployment(world: World, name: str) -> None:
    for method in ("GET", "DELETE"):
        answer = world.call(method, f"/deploy/{name}")
        assert (answer.status, answer.body["code"]) == (404, "not-found")


def test_the_list_comes_in_pages(model: World) -> None:
    # Given
    for name in ("delta", "alpha", "charlie", "bravo", "echo"):
        model.call("POST", "/deploy", REEF | {"name": name})
    # When
    seen: list[str] = []
    query: dict[str, str] = {"limit": "2"}
    while True:
        page = model.call("GET", "/deploy", query=query).body
        assert len(page["deployments"]) <= 2
        seen += [one["name"] for one in page["deployments"]]
        if page["next_token"] is None:
            break
        query = {"limit": "2", "next_token": page["next_token"]}
    # Then
    assert seen == ["alpha", "bravo", "charlie", "delta", "echo"]


@pytest.mark.parametrize(
    "query",
    [
        {"limit": "0"},
        {"limit": "101"},
        {"limit": "9" * 5000},
        {"limit": "-1"},
        {"limit": "\u0663"},
        {"next_token": "!"},
        {"next_token": "eyJ9"},
        {"next_token": "YQ"},
        {"next_token": "Li4vLi4"},
    ],
)
def test_a_wrong_page_is_refused(world: World, query: dict[str, str]) -> None:
    answer = world.call("GET", "/deploy", query=query)
    assert (answer.status, answer.body["errors"][0]["field"]) == (422, next(iter(query)))


def test_a_deletion_is_accepted_and_its_execution_started(world: World) -> None:
    # Given
    world.ready("reef")
    # When, under the name as the seeds would write it
    answer = world.call("DELETE", "/deploy/Reef")
    # Then
    assert (answer.status, answer.headers["Location"]) == (202, "/prod/deploy/reef")
    assert (answer.body["status"], deployments.get("reef").generation) == ("DELETING", 2)
    (execution,) = world.executions("delete")
    assert execution["name"] == "reef-r1-g2"
    assert json.loads(execution["input"])["generation"] == 2
    assert deployments.get("reef").execution_arn == execution["executionArn"]


def test_a_second_deletion_changes_nothing_while_the_first_runs(world: World) -> None:
    # Given
    world.ready("reef")
    world.call("DELETE", "/deploy/reef")
    # When
    answer = world.call("DELETE", "/deploy/reef")
    # Then
    assert (answer.status, deployments.get("reef").generation) == (202, 2)
    assert len(world.executions("delete")) == 1


def test_a_deletion_whose_execution_ended_is_taken_over(world: World) -> None:
    # Given
    world.ready("reef")
    world.call("DELETE", "/deploy/reef")
    client("stepfunctions").stop_execution(executionArn=deployments.get("reef").execution_arn)
    # When
    answer = world.call("DELETE", "/deploy/reef")
    # Then
    assert (answer.status, deployments.get("reef").generation) == (202, 3)
    assert {one["name"] for one in world.executions("delete")} == {"reef-r1-g2", "reef-r1-g3"}


def test_a_deleted_deployment_is_gone_but_told(world: World) -> None:
    # Given
    world.ready("reef")
    world.call("DELETE", "/deploy/reef")
    move("reef", 2, S.DELETED)
    # Then
    assert world.call("GET", "/deploy/reef").body["status"] == "DELETED"
    assert world.call("DELETE", "/deploy/reef").status == 404


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"version": "1", "ecr-version": "1"}, 202),
        ({"version": 1}, 202),
        ({"version": "latest"}, 202),
        ({"version": "2"}, 409),
        ({"registry-name": "none"}, 404),
        ({"registry-name": 5}, 422),
    ],
)
def test_the_seeds_mlops_delete(model: World, change: dict[str, Any], status: int) -> None:
    # Given
    _register(model, "Siri_Model", 1)
    assert (
        model.call("POST", "/initiate-deployment", {"config": {"registry-name": "Siri_Model"}}).status == 202
    )
    # When
    answer = model.call("POST", "/mlops-delete", {"registry-name": "Siri_Model"} | change)
    # Then
    assert answer.status == status, answer.body
    assert (deployments.get("siri-model").status is S.DELETING) == (status == 202)


def test_a_step_function_that_does_not_answer_is_a_503_and_the_same_request_repairs_it(
    model: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a state machine that is not there
    arn = model.machines["deploy"]
    monkeypatch.setenv("DEPLOY_STATE_MACHINE", arn + "-gone")
    settings.cache_clear()
    # When
    refused = model.call("POST", "/deploy", REEF)
    monkeypatch.setenv("DEPLOY_STATE_MACHINE", arn)
    settings.cache_clear()
    answer = model.call("POST", "/deploy", REEF)
    # Then
    assert refused.status == 502
    assert "-gone" not in json.dumps(refused.body)
    assert (answer.status, answer.body["revision"], len(model.executions("deploy"))) == (202, 1, 1)


def _register(world: World, name: str, versions: int) -> None:
    body = {"registry-name": name, "versions": [{"s3_location": REEF["model_location"]}] * versions}
    assert world.call("POST", "/registry", body).status == 201


def _record_image(model: str, version: int) -> None:
    from shoal import registry

    image = f"{ACCOUNT}.dkr.ecr.us-west-2.amazonaws.com/reef:7"
    registry.record_image(model, version, image, f"sha256:{'a' * 64}")


def test_the_history_is_read_page_by_page_and_on(model: World) -> None:
    # Given
    model.call("POST", "/deploy", REEF)
    move("reef", 1, S.DEPLOYING, S.READY)
    # When
    first = model.call("GET", "/deploy/reef/events", query={"limit": "2"}).body
    second = model.call("GET", "/deploy/reef/events", query={"after": first["after"]}).body
    nothing = model.call("GET", "/deploy/reef/events", query={"after": second["after"]}).body
    # Then
    assert [one["status"] for one in first["events"]] == ["ACCEPTED", "DEPLOYING"]
    assert first["events"][0]["actor"] == f"arn:aws:iam::{ACCOUNT}:user/scientist"
    assert [one["status"] for one in second["events"]] == ["READY"]
    assert (first["more"], second["more"]) == (True, False)
    assert nothing == {"events": [], "after": second["after"], "more": False}


@pytest.mark.parametrize("after", ["yesterday", "2026-11-26T14:00:00Z", "2026-11-26T14:00:00.000Z#", "\x00"])
def test_what_is_no_place_in_a_history_is_refused(model: World, after: str) -> None:
    model.call("POST", "/deploy", REEF)
    answer = model.call("GET", "/deploy/reef/events", query={"after": after})
    assert (answer.status, answer.body["errors"][0]["field"]) == (422, "after")


def test_there_is_no_history_of_what_never_was(world: World) -> None:
    assert world.call("GET", "/deploy/nothing/events").status == 404
