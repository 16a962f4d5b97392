"""An account on moto as the REST functions find it, and API Gateway's events; for several test folders."""

from __future__ import annotations

import copy
import functools
import importlib.util
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from moto import mock_aws
from shoal import deployments
from shoal.aws import client
from shoal.contracts.status import DeploymentStatus
from shoal.deployments.store import record_facts
from shoal.settings import settings

ROOT = Path(__file__).resolve().parent.parent
REGION = "us-west-2"
ACCOUNT = "123456789012"
SEED_BUCKETS = (f"deepsea-ai-{ACCOUNT}-models", f"deepsea-ai-{ACCOUNT}-track-conf")
CONTEXT = SimpleNamespace(
    aws_request_id="3f1e6a52-0000-4000-8000-000000000001",
    function_name="f",
    memory_limit_in_mb=512,
    invoked_function_arn=f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:f",
)


@dataclass
class Reply:
    status: int
    headers: dict[str, str]
    body: dict[str, Any]


@dataclass
class World:
    """The functions of the REST face, in an account with tables, buckets and state machines."""

    machines: dict[str, str]

    def call(self, method: str, path: str, body: Any = None, **changes: Any) -> Reply:
        """A request as a client means it; other parts of the event may be given by name."""
        return self.send(function_for(method, path), event(method, path, body, **changes))

    def send(self, function: str, raw_event: Any) -> Reply:
        return send(function, raw_event)

    def put(self, bucket: str, key: str) -> str:
        client("s3").put_object(Bucket=bucket, Key=key, Body=b"x")
        return f"s3://{bucket}/{key}"

    def upload(self, *keys: str) -> None:
        """Videos of the data bucket, each with a content of its own."""
        for key in keys:
            client("s3").put_object(Bucket="shoal-data", Key=key, Body=key.encode())

    def executions(self, machine: str) -> list[dict[str, Any]]:
        found = client("stepfunctions")
        listed = found.list_executions(stateMachineArn=self.machines[machine])["executions"]
        return [found.describe_execution(executionArn=one["executionArn"]) for one in listed]

    def ready(self, name: str, fleet_size: int = 3, serves: tuple[str, ...] = ("queue",)) -> str:
        """A deployment that has become READY, with its queue and service; answers the queue's URL."""
        self.put("shoal-data", "models/reef.onnx")
        body = {"name": name, "model_location": "s3://shoal-data/models/reef.onnx", "fleet_size": fleet_size}
        answer = self.call("POST", "/deploy", body | {"serves": list(serves)})
        assert answer.status == 202, answer.body
        url = client("sqs").create_queue(QueueName=f"shoal-dev-{name}-jobs")["QueueUrl"]
        make_service(f"shoal-dev-{name}")
        endpoint = "http://balancer.example.org:5001" if "endpoint" in serves else None
        record_facts(name, 1, queue_url=url if "queue" in serves else None, endpoint=endpoint)
        move(name, 1, DeploymentStatus.DEPLOYING, DeploymentStatus.READY)
        return url


def send(function: str, raw_event: Any) -> Reply:
    """An event to a function as it is, whatever it holds."""
    return reply(load_app(function).lambda_handler(copy.deepcopy(raw_event), CONTEXT))


def move(name: str, generation: int, *statuses: DeploymentStatus) -> None:
    for status in statuses:
        deployments.transition(name, generation, status, "test")


def make_service(name: str) -> None:
    ecs = client("ecs")
    ecs.create_cluster(clusterName=name)
    ecs.register_task_definition(
        family=name, containerDefinitions=[{"name": "worker", "image": "worker", "memory": 512}]
    )
    ecs.create_service(cluster=name, serviceName=name, taskDefinition=name, desiredCount=0)


def desired(name: str) -> int:
    service = f"shoal-dev-{name}"
    found = client("ecs").describe_services(cluster=service, services=[service])
    return int(found["services"][0]["desiredCount"])


def function_for(method: str, path: str) -> str:
    if method == "PUT" or path.endswith(("/rollback", "/stop", "/start", "/revisions")):
        return "change_api"
    if path.startswith("/registry"):
        return "model_registry"
    if path.startswith("/doctor"):
        return "doctor"
    intake = ("/jobs", "/dives", "/cancel", "/redrive")
    return "job_intake" if any(part in path for part in intake) else "deploy_api"


def event(
    method: str,
    path: str,
    body: Any = None,
    *,
    query: dict[str, str] | None = None,
    content_type: str = "application/json",
    **changes: Any,
) -> dict[str, Any]:
    """What API Gateway hands a function (REST API, proxy integration)."""
    raw = body if body is None or isinstance(body, str) else json.dumps(body)
    headers = {"Content-Type": content_type} if raw is not None else {}
    whole = {
        "resource": path,
        "path": path,
        "httpMethod": method,
        "headers": {"Accept": "*/*", "Host": "abc.execute-api.us-west-2.amazonaws.com", **headers},
        "multiValueHeaders": {},
        "queryStringParameters": query,
        "multiValueQueryStringParameters": None,
        "pathParameters": None,
        "stageVariables": None,
        "requestContext": {
            "accountId": ACCOUNT,
            "stage": "prod",
            "path": f"/prod{path}",
            "httpMethod": method,
            "requestId": "r",
            "identity": {"userArn": f"arn:aws:iam::{ACCOUNT}:user/scientist", "sourceIp": "192.0.2.1"},
        },
        "body": raw,
        "isBase64Encoded": False,
    }
    return whole | changes


def reply(answer: dict[str, Any]) -> Reply:
    headers = {key: values[0] for key, values in (answer.get("multiValueHeaders") or {}).items()}
    headers |= answer.get("headers") or {}
    return Reply(answer["statusCode"], headers, json.loads(answer["body"]))


@functools.cache
def load_app(function: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"app_{function}", ROOT / "functions" / function / "app.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    for key in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(key, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    with mock_aws():
        machines = _furnish()
        for key, value in _variables(machines).items():
            monkeypatch.setenv(key, value)
        settings.cache_clear()
        yield World(machines)
    settings.cache_clear()


@pytest.fixture(scope="module", autouse=True)
def own_clients() -> Iterator[None]:
    """Clients are slow to make: the tests of a module share theirs, and nobody else's."""
    client.cache_clear()
    yield
    client.cache_clear()


def _variables(machines: dict[str, str]) -> dict[str, str]:
    return {
        "SHOAL_ENVIRONMENT": "dev",
        "DEPLOYMENTS_TABLE": "deployments",
        "REGISTRY_TABLE": "registry",
        "DATA_BUCKET": "shoal-data",
        "MODEL_BUCKETS": ",".join(SEED_BUCKETS),
        "DEPLOY_STATE_MACHINE": machines["deploy"],
        "DELETE_STATE_MACHINE": machines["delete"],
        "WORKER_IMAGE": f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/shoal-worker:1",
        "SENDER_ADDRESS": "shoal@example.org",
        "OPERATOR_ADDRESSES": "operator@example.org",
    }


def _furnish() -> dict[str, str]:
    _make_tables()
    s3 = client("s3")
    for bucket in ("shoal-data", *SEED_BUCKETS):
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    states = client("stepfunctions")
    definition = json.dumps({"StartAt": "End", "States": {"End": {"Type": "Succeed"}}})
    role = f"arn:aws:iam::{ACCOUNT}:role/states"
    return {
        name: states.create_state_machine(name=name, definition=definition, roleArn=role)["stateMachineArn"]
        for name in ("deploy", "delete")
    }


def _make_tables() -> None:
    dynamodb = client("dynamodb")
    keys = [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}]
    by_type = [{"AttributeName": "type", "KeyType": "HASH"}, {"AttributeName": "pk", "KeyType": "RANGE"}]
    dynamodb.create_table(
        TableName="deployments",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": n, "AttributeType": "S"} for n in ("pk", "sk", "type")],
        KeySchema=keys,
        GlobalSecondaryIndexes=[
            {"IndexName": "by-type", "KeySchema": by_type, "Projection": {"ProjectionType": "ALL"}}
        ],
    )
    dynamodb.create_table(
        TableName="registry",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[
            {"AttributeName": "model", "AttributeType": "S"},
            {"AttributeName": "version", "AttributeType": "N"},
        ],
        KeySchema=[
            {"AttributeName": "model", "KeyType": "HASH"},
            {"AttributeName": "version", "KeyType": "RANGE"},
        ],
    )
