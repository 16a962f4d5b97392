"""Drives the functions' own handlers through a deployment, as the state machines do; for tests only."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError
from moto.backends import get_backend
from shoal.aws import client
from shoal.contracts.deployment import DeploymentSpec
from shoal.deployments import store
from shoal_local.inventory import inventory

FUNCTIONS = Path(__file__).parents[1] / "functions"
MAKING = ["load_balancer", "task_cluster", "auto_scaling_group", "ecs_service"]
BY_HOST = {"routing": "host", "host_name": "benthic.models.example.org"}
Payload = dict[str, Any]


def handler(name: str) -> Callable[[Payload, object], Payload]:
    """The handler of functions/<name>/app.py."""
    spec = importlib.util.spec_from_file_location(f"function_{name}", FUNCTIONS / name / "app.py")
    if spec is None or spec.loader is None:
        raise FileNotFoundError(name)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: Callable[[Payload, object], Payload] = module.lambda_handler
    return found


def spec_of(
    serves: str = "queue", compute: str = "ec2-gpu", name: str = "benthic", **more: Any
) -> DeploymentSpec:
    fields = {
        "name": name,
        "model_location": "s3://shoal-models/m.onnx",
        "serves": serves.split(","),
        "compute": compute,
        "cpu": 1024,
        "memory_mib": 4096,
    }
    return DeploymentSpec.model_validate(fields | more)


def begin(spec: DeploymentSpec) -> Payload:
    """Claim the name and record DEPLOYING; answers the payload of every step."""
    taken = store.claim(spec, "tests")
    payload = {"deployment": spec.name, "revision": taken.revision, "generation": taken.generation}
    become(payload, "DEPLOYING")
    return payload


def become(payload: Payload, status: str, **more: Any) -> str:
    return str(handler("deployment_status")(payload | {"become": status} | more, None)["status"])


def steps_of(spec: DeploymentSpec) -> list[str]:
    """As the Choice states of deploy.asl.json decide."""
    skipped = set() if spec.has_endpoint else {"load_balancer"}
    skipped |= set() if spec.compute == "ec2-gpu" else {"auto_scaling_group"}
    return [step for step in MAKING if step not in skipped]


def make(spec: DeploymentSpec, payload: Payload) -> None:
    for step in steps_of(spec):
        handler(step)(payload, None)


def remove(payload: Payload, function: str = "deletion", most: int = 20) -> list[Payload]:
    """Passes until empty."""
    passes = []
    for _ in range(most):
        passes.append(handler(function)(payload, None))
        if passes[-1]["empty"]:
            return passes
    raise AssertionError(f"not empty after {most} passes: {passes[-1]}")


def resources() -> set[tuple[str, ...]]:
    """The account, without what AWS itself keeps of the past and without our own tables' items."""
    past = {("ecs", "task_definitions"), ("ecs", "clusters"), ("ecs", "services")}
    items = {item for item in inventory() if item[:2] not in past and item[0] not in {"dynamodb", "ssm"}}
    return items | alive_in_ecs()


def alive_in_ecs() -> set[tuple[str, ...]]:
    """Clusters that are not INACTIVE and task definitions that are not deleted."""
    ecs = client("ecs")
    clusters = ecs.describe_clusters(clusters=ecs.list_clusters()["clusterArns"] or ["none"])["clusters"]
    alive = {("ecs", "cluster", one["clusterArn"]) for one in clusters if one["status"] != "INACTIVE"}
    for status in ("ACTIVE", "INACTIVE"):
        listed = ecs.list_task_definitions(status=status)["taskDefinitionArns"]
        alive |= {("ecs", "task definition", arn) for arn in listed}
    return alive


class Fault:
    """One operation answers ``AccessDenied`` instead of its work (before) or after it was done (lost), or the
    function dies after it was done (crash).
    """

    def __init__(self, operation: str, when: str, times: int = 1) -> None:
        self.operation, self.when, self.left = operation, when, times
        self.called: list[str] = []

    def install(self, monkeypatch: pytest.MonkeyPatch) -> Fault:
        real = BaseClient._make_api_call

        def faulty(client: BaseClient, operation: str, parameters: dict[str, Any]) -> Any:
            self.called.append(operation)
            if operation != self.operation or self.left == 0:
                return real(client, operation, parameters)
            self.left -= 1
            if self.when != "before":
                real(client, operation, parameters)
            if self.when == "crash":
                raise MemoryError(operation)
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": self.when}}, operation)

        monkeypatch.setattr(BaseClient, "_make_api_call", faulty)
        return self


def settle(name: str = "benthic", running: int = 1, failed: bool = False) -> None:
    """ECS has looked: the newest deployment is COMPLETED (or FAILED), then the older ones are gone."""
    backend: Any = get_backend("ecs")["123456789012"]["us-west-2"]
    service = backend.services[f"shoal-dev-{name}:shoal-dev-{name}"]
    state = "FAILED" if failed else "COMPLETED"
    service.deployments[0].update(rolloutState=state, runningCount=running, failedTasks=3 * failed)
    service.running_count = running
    if not failed:
        del service.deployments[1:]


def ready(spec: DeploymentSpec) -> Payload:
    """Deploy until READY."""
    payload = begin(spec)
    make(spec, payload)
    settle(spec.name)
    assert handler("service_status")(payload, None)["ready"]
    become(payload, "READY")
    return payload


def seen(name: str = "benthic") -> dict[str, Any]:
    """What AWS shows of everything that an update may touch."""
    own = f"shoal-dev-{name}"
    service = client("ecs").describe_services(cluster=own, services=[own])["services"][0]
    answer = client("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=[own])
    versions = client("ec2").describe_launch_template_versions(LaunchTemplateName=own)
    return {
        "runs": service["taskDefinition"],
        "rules": service["deploymentConfiguration"],
        "count": service["desiredCount"],
        "definitions": client("ecs").list_task_definitions(familyPrefix=own)["taskDefinitionArns"],
        "versions": [str(one["VersionNumber"]) for one in versions["LaunchTemplateVersions"]],
        "groups": [
            {key: one[key] for key in ("LaunchTemplate", "MinSize", "MaxSize", "DesiredCapacity")}
            for one in answer["AutoScalingGroups"]
        ],
    }
