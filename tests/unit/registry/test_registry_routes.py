"""The registry through its real handler, on moto."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from rest_world import World
from shoal import registry
from shoal.aws import client
from shoal.contracts.registry import ModelVersion, Registration
from shoal.errors import InvalidRequest, NotFound, Retryable
from shoal.registry import store

LOCATION = "s3://shoal-data/models/reef.onnx"
SEED = {"registry-name": "reef", "versions": [{"s3_location": LOCATION, "Accurecy": {"auc": 11, "Roc": 22}}]}


def version(**changes: Any) -> dict[str, Any]:
    return {"model": "reef", "versions": [{"s3_location": LOCATION} | changes]}


def registration(versions: int = 1, **metrics: float) -> Registration:
    new = [{"s3_location": LOCATION, "metrics": metrics}] * versions
    return Registration.model_validate({"model": "reef", "versions": new})


def test_the_seeds_body_is_accepted_and_clean_names_come_back(world: World) -> None:
    # When
    answer = world.call("POST", "/registry", SEED)
    # Then
    assert (answer.status, answer.headers["Location"]) == (201, "/prod/registry/reef/versions/1")
    (first,) = answer.body["versions"]
    assert (answer.body["model"], answer.body["latest"]) == ("reef", 1)
    assert (first["version"], first["s3_location"], first["metrics"]) == (
        1,
        LOCATION,
        {"auc": 11, "Roc": 22},
    )
    assert world.call("GET", "/registry/reef/versions/1").body == first


@pytest.mark.parametrize("value", [0.1, 0.9137205, 1 / 3, -1e-7, 1e100, 5e-324 * 0, 123456789.123])
def test_a_metric_comes_back_as_it_was(world: World, value: float) -> None:
    # When
    registry.register(registration(auc=value))
    # Then
    stored = client("dynamodb").get_item(
        TableName="registry", Key={"model": {"S": "reef"}, "version": {"N": "1"}}
    )["Item"]
    assert Decimal(stored["metrics"]["M"]["auc"]["N"]) == Decimal(repr(value))
    assert registry.get("reef", 1).metrics == {"auc": value}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"registry-name": "reef"}, "versions"),
        ({"registry-name": "reef", "versions": []}, "versions"),
        ({"registry-name": "reef", "versions": [{}]}, "versions.0.s3_location"),
        ({"registry-name": "re ef", "versions": SEED["versions"]}, "registry-name"),
        (version(s3_location="reef.onnx"), "versions.0.s3_location"),
        (version(metrics={"auc": "1"}), "versions.0.metrics.auc"),
        (version(metrics={"auc": 1e300}), "metrics.auc"),
        ({"model": "reef", "versions": SEED["versions"], "stage": "prod"}, "stage"),
        ({"model": "reef", "versions": SEED["versions"] * 21}, "versions"),
        ([], ""),
    ],
)
def test_what_is_wrong_is_named(world: World, body: Any, field: str) -> None:
    # When
    answer = world.call("POST", "/registry", body)
    # Then
    assert answer.status == 422, answer.body
    assert field.rpartition(".")[2] in answer.body["errors"][0]["field"]
    assert world.call("GET", "/registry").body["models"] == []


def test_models_and_versions_come_in_pages(world: World) -> None:
    # Given
    for name in ("alpha", "bravo", "charlie", "delta", "echo"):
        registry.register(registration(3).model_copy(update={"model": name}))
    # Then every model once
    models = _pages(world, "/registry", "models", 2)
    assert sorted((one["model"], one["latest"]) for one in models) == [
        (name, 3) for name in ("alpha", "bravo", "charlie", "delta", "echo")
    ]
    # And every version once, newest first
    versions = _pages(world, "/registry/alpha", "versions", 2)
    assert [one["version"] for one in versions] == [3, 2, 1]


def _pages(world: World, path: str, key: str, limit: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    query = {"limit": str(limit)}
    while True:
        page = world.call("GET", path, query=query).body
        assert len(page[key]) <= limit
        found += page[key]
        if not page["next_token"]:
            return found
        query["next_token"] = page["next_token"]


@pytest.mark.parametrize(
    "path",
    ["/registry/none", "/registry/reef/versions/9", "/registry/reef/versions/0", "/registry/reef/versions/x"],
)
def test_what_is_not_there_is_404(world: World, path: str) -> None:
    registry.register(registration())
    answer = world.call("GET", path)
    assert (answer.status, answer.body["code"]) == (404, "not-found")


def test_versions_go_on_from_the_newest(world: World) -> None:
    assert [one.version for one in registry.register(registration(2))] == [1, 2]
    assert [one.version for one in registry.register(registration(3))] == [3, 4, 5]
    assert registry.get("reef").version == 5


def test_concurrent_registrations_lose_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given five rivals, each of whom registers between the read and the write of the one before
    read, rivals, given = store._latest, 5, []

    def read_then_lose(model: str) -> int:
        nonlocal rivals
        latest = read(model)
        if rivals:
            rivals -= 1
            given.extend(registry.register(registration(2)))
        return latest

    monkeypatch.setattr(store, "_latest", read_then_lose)
    monkeypatch.setattr(store, "_LONGEST_PAUSE_SECONDS", 0)
    # When
    given.extend(registry.register(registration(2)))
    # Then each version was given once, and each is there
    assert sorted(one.version for one in given) == list(range(1, 13))
    _, found, _ = registry.list_versions("reef", 100)
    assert [one.version for one in found] == list(range(12, 0, -1))


def test_a_registration_that_never_wins_says_try_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a counter that always reads as it was
    registry.register(registration())
    monkeypatch.setattr(store, "_latest", lambda model: 0)
    monkeypatch.setattr(store, "_LONGEST_PAUSE_SECONDS", 0)
    # Then
    with pytest.raises(Retryable, match="try again"):
        registry.register(registration())
    monkeypatch.undo()


def test_an_image_is_recorded_on_its_version(world: World) -> None:
    # Given
    registry.register(registration(2))
    # When
    image, digest = "123456789012.dkr.ecr.us-west-2.amazonaws.com/reef:v7", f"sha256:{'0a' * 32}"
    answer = registry.record_image("reef", 1, image, digest)
    # Then
    assert (answer.image, answer.image_digest, answer.image_version) == (image, digest, "v7")
    assert world.call("GET", "/registry/reef/versions/1").body["image"] == image
    assert registry.get("reef", 2).image is None


@pytest.mark.parametrize(
    ("version", "digest", "error"),
    [
        (9, f"sha256:{'0' * 64}", NotFound),
        (0, f"sha256:{'0' * 64}", NotFound),
        (1, "sha256:1", InvalidRequest),
    ],
)
def test_an_image_that_cannot_be_recorded(
    world: World, version: int, digest: str, error: type[Exception]
) -> None:
    registry.register(registration())
    with pytest.raises(error):
        registry.record_image("reef", version, "repository/reef:1", digest)


def test_the_items_survive_the_contract(world: World) -> None:
    registered = registry.register(registration(auc=0.5))[0]
    assert ModelVersion.model_validate(registered.model_dump()) == registry.get("reef", 1)
