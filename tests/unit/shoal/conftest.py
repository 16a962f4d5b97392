"""A small account on moto: tables, network, balancer, roles."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from moto import mock_aws
from networks import network
from shoal.aws import client
from shoal.settings import settings

REGION = "us-west-2"
_CERTIFICATE = "arn:aws:iam::123456789012:server-certificate/shoal"
"""Of IAM: making one of ACM costs moto a key pair."""


@pytest.fixture(scope="module", autouse=True)
def _clients() -> Iterator[None]:
    """Clients of our own: making them is slow, so a module shares them; nobody else's are used."""
    client.cache_clear()
    yield
    client.cache_clear()


@pytest.fixture
def tables(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing but the deployments table."""
    with _mocked(monkeypatch):
        _make_table()
        _enter(monkeypatch, {"DEPLOYMENTS_TABLE": "deployments"})
        yield
    settings.cache_clear()


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """The environment variables of a step function, with everything they name in place."""
    with _mocked(monkeypatch):
        variables = _furnish()
        _enter(monkeypatch, variables)
        yield variables
    settings.cache_clear()


@contextmanager
def _mocked(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for key in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(key, "testing")
    for key in ("AWS_DEFAULT_REGION", "AWS_REGION"):
        monkeypatch.setenv(key, REGION)
    monkeypatch.setenv("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
    with mock_aws():
        yield


def _enter(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
    for key, value in variables.items():
        monkeypatch.setenv(key, value)
    settings.cache_clear()


def _furnish() -> dict[str, str]:
    _make_table()
    roles = "arn:aws:iam::123456789012:role"
    return {
        "SHOAL_ENVIRONMENT": "dev",
        "DEPLOYMENTS_TABLE": "deployments",
        "DATA_BUCKET": "shoal-data",
        **network(_CERTIFICATE),
        "PORT_RANGE": "5001-5003",
        "ALARM_TOPIC_ARN": "arn:aws:sns:us-west-2:123456789012:alarms",
        "TASK_ROLE_ARN": f"{roles}/task",
        "EXECUTION_ROLE_ARN": f"{roles}/execution",
        "INSTANCE_PROFILE_ARN": _instance_profile(),
        "GPU_AMI_PARAMETER": _gpu_ami(),
        "WORKER_IMAGE": "123456789012.dkr.ecr.us-west-2.amazonaws.com/shoal-worker:1",
    }


def _gpu_ami() -> str:
    """A parameter of our own: loading moto's copy of AWS's takes seconds."""
    image = client("ec2").register_image(Name="ecs-gpu", RootDeviceName="/dev/xvda")["ImageId"]
    value = json.dumps({"image_id": image})
    client("ssm").put_parameter(Name="/test/gpu", Type="String", Value=value)
    return "/test/gpu"


def _instance_profile() -> str:
    profile = client("iam").create_instance_profile(InstanceProfileName="instances")
    return str(profile["InstanceProfile"]["Arn"])


def _make_table() -> None:
    text = {"AttributeType": "S"}
    client("dynamodb").create_table(
        TableName="deployments",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": name, **text} for name in ("pk", "sk", "type")],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "by-type",
                "KeySchema": [
                    {"AttributeName": "type", "KeyType": "HASH"},
                    {"AttributeName": "pk", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
    )
