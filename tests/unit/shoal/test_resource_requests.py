"""What is asked of AWS at run time, which no linter of a template sees."""

from __future__ import annotations

import base64
from typing import Any

import deployment_flow as flow
import pytest
from shoal.contracts.deployment import DeploymentSpec
from shoal.errors import InvalidRequest
from shoal.resources import BY_KIND
from shoal.resources.kind import Context, Entry
from shoal.resources.launch_template import launch_data
from shoal.resources.service import Service
from shoal.resources.worker_container import container
from shoal.settings import settings


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for key in ("TASK_ROLE_ARN", "EXECUTION_ROLE_ARN", "INSTANCE_PROFILE_ARN", "INSTANCE_SECURITY_GROUP"):
        monkeypatch.setenv(key, key.lower())
    monkeypatch.setenv("DATA_BUCKET", "shoal-data")
    monkeypatch.setenv("DEPLOYMENTS_TABLE", "deployments")
    monkeypatch.setenv("WORKER_IMAGE", "registry/worker:1")
    monkeypatch.setenv("SUBNET_IDS", "subnet-1,subnet-2")
    settings.cache_clear()


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The arguments of the last CreateService."""
    last: dict[str, Any] = {}

    class Ecs:
        def create_service(self, **arguments: Any) -> dict[str, Any]:
            last.update(arguments)
            return {"service": {"serviceArn": "arn:service"}}

        def describe_services(self, **_: Any) -> dict[str, Any]:
            return {"services": []}

    monkeypatch.setattr("shoal.resources.service.client", lambda _: Ecs())
    return last


def context_of(serves: str = "queue", compute: str = "ec2-gpu", **more: Any) -> Context:
    spec = flow.spec_of(serves, compute, **more)
    made = {
        kind: Entry(
            kind=kind,
            order=one.order,
            name=f"name-{kind}",
            revision=3,
            arn=f"arn:{kind}",
            extra={"url": "https://q", "version": "1"},
        )
        for kind, one in BY_KIND.items()
    }
    return Context("dev", spec.name, spec, 3, 7, made)


def environment_of(context: Context) -> dict[str, str]:
    return {pair["name"]: pair["value"] for pair in container(context)["environment"]}


def test_the_worker_gets_the_environment_of_the_contract() -> None:
    context = context_of("queue,endpoint", args="--conf 0.2", track_config="s3://shoal-models/t.yaml")
    assert environment_of(context) == {
        "SHOAL_DEPLOYMENT": "benthic",
        "SHOAL_REVISION": "3",
        "SHOAL_SERVES": "queue,endpoint",
        "SHOAL_MODEL": "s3://shoal-models/m.onnx",
        "SHOAL_TRACK_CONFIG": "s3://shoal-models/t.yaml",
        "SHOAL_ARGS": "--conf 0.2",
        "SHOAL_IMAGE_URI": "registry/worker:1",
        "SHOAL_MODEL_VERSION": "",
        "SHOAL_INSTANCE_TYPE": "g5.xlarge",
        "SHOAL_PORT": "8080",
        "VIDEO_QUEUE": "https://q",
        "VIDEO_BUCKET": "shoal-data",
        "TRACK_BUCKET": "shoal-data",
        "JOBS_TABLE": "deployments",
        "TIMEOUT_HOURS": "2",
        "AWS_REGION": settings().aws_region,
    }


@pytest.mark.parametrize(
    ("more", "told"),
    [({}, "g5.xlarge"), ({"spot": True}, "g5.xlarge"), ({"instance_types": ["g6.xlarge"]}, "")],
)
def test_the_worker_is_told_its_instance_type_where_there_is_one(more: dict[str, Any], told: str) -> None:
    assert environment_of(context_of(**more))["SHOAL_INSTANCE_TYPE"] == told


@pytest.mark.parametrize(
    ("serves", "compute", "ports", "gpus"),
    [
        ("queue", "ec2-gpu", None, 1),
        ("endpoint", "ec2-gpu", {"containerPort": 8080, "hostPort": 0, "protocol": "tcp"}, 1),
        ("endpoint", "fargate-cpu", {"containerPort": 8080, "hostPort": 8080, "protocol": "tcp"}, 0),
        ("queue", "fargate-cpu", None, 0),
    ],
)
def test_the_container_fits_its_compute(
    serves: str, compute: str, ports: dict[str, Any] | None, gpus: int
) -> None:
    definition = container(context_of(serves, compute))
    assert definition.get("portMappings") == ([ports] if ports else None)
    assert definition.get("resourceRequirements", []) == [{"type": "GPU", "value": "1"}] * gpus
    assert definition["stopTimeout"] == 110
    assert definition["linuxParameters"]["capabilities"] == {"drop": ["ALL"]}
    assert definition["logConfiguration"]["options"]["awslogs-group"] == "name-log_group"


def test_a_person_may_name_the_image() -> None:
    assert container(context_of(image="other/image@sha256:1"))["image"] == "other/image@sha256:1"


def test_a_registered_model_must_be_resolved_before() -> None:
    spec = DeploymentSpec(name="benthic", registered_model="reef")
    context = Context("dev", "benthic", spec, 1, 1, context_of().made)
    with pytest.raises(InvalidRequest, match="registered model"):
        container(context)


def test_instances_are_hardened() -> None:
    data = launch_data(context_of(root_volume_gib=10), "ami-1")
    assert data["MetadataOptions"] == {
        "HttpTokens": "required",
        "HttpPutResponseHopLimit": 1,
        "HttpEndpoint": "enabled",
    }
    volume = data["BlockDeviceMappings"][0]
    assert (volume["DeviceName"], volume["Ebs"]["VolumeType"]) == ("/dev/xvda", "gp3")
    assert volume["Ebs"]["Encrypted"] is True
    assert volume["Ebs"]["VolumeSize"] == 30  # never below the AMI's snapshot
    assert {one["ResourceType"] for one in data["TagSpecifications"]} == {"instance", "volume"}
    tags = {tag["Key"]: tag["Value"] for tag in data["TagSpecifications"][0]["Tags"]}
    assert tags.items() >= {"shoal:deployment": "benthic", "shoal:revision": "3"}.items()


def test_instances_join_their_cluster() -> None:
    script = base64.b64decode(launch_data(context_of(), "ami-1")["UserData"]).decode()
    assert script.startswith("#!/bin/bash\nset -euo pipefail\n")
    assert "ECS_CLUSTER=name-cluster\n" in script


@pytest.mark.parametrize(
    ("serves", "compute", "desired", "percents"),
    [
        ("queue", "ec2-gpu", 0, (0, 100)),  # from zero: woken by the first video
        ("endpoint", "ec2-gpu", 1, (100, 200)),
        ("queue,endpoint", "fargate-cpu", 1, (100, 200)),
    ],
)
def test_the_service_asks_for_what_it_needs(
    serves: str, compute: str, desired: int, percents: tuple[int, int], sent: dict[str, Any]
) -> None:
    # When
    Service().make(context_of(serves, compute))
    # Then
    rules = sent["deploymentConfiguration"]
    assert sent["desiredCount"] == desired
    assert (rules["minimumHealthyPercent"], rules["maximumPercent"]) == percents
    assert rules["deploymentCircuitBreaker"] == {"enable": True, "rollback": False}
    assert sent["availabilityZoneRebalancing"] == "DISABLED"
    assert ("loadBalancers" in sent, "healthCheckGracePeriodSeconds" in sent) == ("endpoint" in serves,) * 2
    assert ("capacityProviderStrategy" in sent) is (compute == "ec2-gpu")
    assert ("launchType" in sent, "networkConfiguration" in sent) == (compute == "fargate-cpu",) * 2
    assert len(sent["clientToken"]) <= 36


def test_the_token_belongs_to_one_attempt(sent: dict[str, Any]) -> None:
    tokens = []
    for generation in (7, 7, 8):
        context = context_of()
        Service().make(Context("dev", "benthic", context.spec, 3, generation, context.made))
        tokens.append(sent["clientToken"])
    assert (tokens[0] == tokens[1], tokens[1] == tokens[2]) == (True, False)


@pytest.mark.parametrize("kind", BY_KIND.values(), ids=lambda kind: kind.kind)
def test_names_fit_their_limits(kind: Any) -> None:
    context = context_of(name="a23456789-123456789-1234")
    limits = {"target_group": 32, "queue": 80, "dead_letter_queue": 80, "launch_template": 128}
    name = kind.name(context)
    assert name.startswith("shoal-dev-")
    assert len(name) <= limits.get(kind.kind, 255)
    assert not name.endswith("-")
