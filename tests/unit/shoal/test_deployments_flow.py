"""A whole deployment and its removal through the functions' own handlers, on moto made strict."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import boto3
import pytest
from shoal_local import strict
from shoal_local.inventory import inventory

from shoal.contracts.deployment import DeploymentSpec
from shoal.contracts.status import DeploymentStatus as S
from shoal.deployments import ledger, store

FUNCTIONS = Path(__file__).parents[3] / "functions"
MAKING = ["load_balancer", "task_cluster", "auto_scaling_group", "ecs_service"]
Payload = dict[str, Any]


@pytest.fixture(autouse=True)
def strict_account(account: dict[str, str]) -> Iterator[None]:
    with strict.installed():
        yield


def handler(name: str) -> Callable[[Payload, object], Payload]:
    spec = importlib.util.spec_from_file_location(f"function_{name}", FUNCTIONS / name / "app.py")
    assert spec and spec.loader
    module: ModuleType = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.lambda_handler  # type: ignore[no-any-return]


def spec_of(serves: str, compute: str, name: str = "benthic") -> DeploymentSpec:
    return DeploymentSpec.model_validate(
        {
            "name": name,
            "model_location": "s3://shoal-models/m.onnx",
            "serves": serves.split(","),
            "compute": compute,
            "cpu": 1024,
            "memory_mib": 4096,
        }
    )


def begin(spec: DeploymentSpec) -> Payload:
    taken = store.claim(spec, "tests")
    payload = {"deployment": spec.name, "revision": taken.revision, "generation": taken.generation}
    handler("deployment_status")(payload | {"become": "DEPLOYING"}, None)
    return payload


def make(spec: DeploymentSpec, payload: Payload) -> None:
    for step in MAKING:
        skipped = (step == "load_balancer" and not spec.has_endpoint) or (
            step == "auto_scaling_group" and spec.compute != "ec2-gpu"
        )
        if not skipped:
            handler(step)(payload, None)


def remove(payload: Payload, function: str = "deletion", most: int = 15) -> list[Payload]:
    passes = []
    for _ in range(most):
        passes.append(handler(function)(payload, None))
        if passes[-1]["empty"]:
            return passes
    raise AssertionError(f"not empty after {most} passes: {passes[-1]}")


def resources() -> set[tuple[str, str, str]]:
    """The account without what AWS itself keeps of the past, and without our own tables' items."""
    kept = {("ecs", "task_definitions"), ("ecs", "clusters"), ("ecs", "services")}
    return {item for item in inventory() if item[:2] not in kept and item[0] not in {"dynamodb", "ssm"}}


def alive_in_ecs() -> list[str]:
    ecs = boto3.client("ecs")
    clusters = ecs.describe_clusters(clusters=ecs.list_clusters()["clusterArns"] or ["none"])["clusters"]
    listed = [
        arn
        for status in ("ACTIVE", "INACTIVE")
        for arn in ecs.list_task_definitions(status=status)["taskDefinitionArns"]
    ]
    return [one["clusterArn"] for one in clusters if one["status"] != "INACTIVE"] + listed


SHAPES = [
    ("queue", "ec2-gpu"),
    ("endpoint", "ec2-gpu"),
    ("queue,endpoint", "ec2-gpu"),
    ("queue,endpoint", "fargate-cpu"),
]


@pytest.mark.parametrize(("serves", "compute"), SHAPES)
def test_what_is_deployed_is_removed_without_a_trace(serves: str, compute: str) -> None:
    # Given
    before = resources()
    spec = spec_of(serves, compute)
    payload = begin(spec)
    # When
    make(spec, payload)
    # Then
    made = {entry.kind: entry for entry in ledger.entries("benthic")}
    assert all(entry.state == "CREATED" and entry.arn for entry in made.values())
    assert ("listener" in made, "queue" in made) == (spec.has_endpoint, spec.has_queue)
    assert ("auto_scaling_group" in made) == (compute == "ec2-gpu")
    assert resources() > before
    # When
    payload["generation"] = store.begin_deletion("benthic", "tests")
    passes = remove(payload)
    # Then
    assert (resources(), alive_in_ecs()) == (before, [])
    assert not any(one["failed"] for one in passes)
    assert len(passes) > 1  # one look is never enough
    assert ledger.entries("benthic") == []
