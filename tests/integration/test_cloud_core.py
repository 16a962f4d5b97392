"""The embedded cloud with a small stack of its own: real processes, real HTTP, no fleet."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from shoal_local.clock import Clock
from shoal_local.cloud import Cloud
from shoal_local.errors import AlreadyRunning, StackFailed

TINY = Path(__file__).with_name("tiny_stack")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiny") / "project"
    shutil.copytree(TINY, folder)
    return folder


@pytest.fixture(scope="module")
def cloud(project: Path) -> Iterator[Cloud]:
    with Cloud(root=project, clock=Clock(200), fleet=False) as running:
        yield running


def _send(
    cloud: Cloud, method: str, path: str, keys: dict[str, str] | None, body: str = ""
) -> requests.Response:
    request = AWSRequest(method=method, url=cloud.api_url + path, data=body)
    if keys:
        credentials = Credentials(
            keys["AWS_ACCESS_KEY_ID"], keys["AWS_SECRET_ACCESS_KEY"], keys.get("AWS_SESSION_TOKEN")
        )
        SigV4Auth(credentials, "execute-api", cloud.region).add_auth(request)
    return requests.request(
        method, cloud.api_url + path, headers=dict(request.headers), data=body, timeout=60
    )


def _invoke(cloud: Cloud, event: dict[str, Any]) -> tuple[dict[str, Any], str | None]:
    answer = cloud.client("lambda").invoke(FunctionName=cloud.outputs["Step"], Payload=json.dumps(event))
    return json.loads(answer["Payload"].read()), answer.get("FunctionError")


def _run(cloud: Cloud, machine: str, event: dict[str, Any]) -> dict[str, Any]:
    states = cloud.client("stepfunctions")
    name = f"run-{time.monotonic_ns()}"
    arn = states.start_execution(stateMachineArn=cloud.outputs[machine], name=name, input=json.dumps(event))
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        found: dict[str, Any] = states.describe_execution(executionArn=arn["executionArn"])
        if found["status"] != "RUNNING":
            return found
        time.sleep(0.02)
    raise AssertionError("the execution does not end")


def _role_with(cloud: Cloud, action: str) -> dict[str, Any]:
    return next(role for role in cloud.iam_report().values() if action in role["allowed"])


def test_a_signed_call_reaches_the_handler_with_everything_in_its_event(cloud: Cloud) -> None:
    # When
    response = _send(cloud, "POST", "/hello/a%20b?x=1&x=2", cloud.credentials, "text")
    # Then
    assert response.status_code == 200
    assert response.headers["X-Shared"] == "yes"
    answer = response.json()
    assert (answer["text"], answer["method"], answer["body"]) == ("hello a b", "POST", "text")
    assert answer["query"] == {"x": ["1", "2"]}
    assert answer["caller"].endswith(":user/shoal-local-admin")


def test_the_gateway_lets_in_who_may_and_nobody_else(cloud: Cloud) -> None:
    # Given
    caller = cloud.credentials_for_role(cloud.outputs["Caller"], "test")
    wrong = {**cloud.credentials, "AWS_SECRET_ACCESS_KEY": "wrong"}
    unknown = {**cloud.credentials, "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE"}
    tokenless = {key: value for key, value in caller.items() if key != "AWS_SESSION_TOKEN"}
    # When
    answers = {
        "allowed": _send(cloud, "GET", "/hello/x", caller),
        "other method": _send(cloud, "POST", "/hello/x", caller),
        "unsigned": _send(cloud, "GET", "/hello/x", None),
        "wrong secret": _send(cloud, "GET", "/hello/x", wrong),
        "unknown key": _send(cloud, "GET", "/hello/x", unknown),
        "no token": _send(cloud, "GET", "/hello/x", tokenless),
        "no route": _send(cloud, "GET", "/nothing", cloud.credentials),
    }
    # Then
    assert {name: answer.status_code for name, answer in answers.items()} == {
        "allowed": 200, "other method": 403, "unsigned": 403, "wrong secret": 403, "unknown key": 403,
        "no token": 403, "no route": 403,
    }  # fmt: skip
    assert "execute-api:Invoke" in answers["other method"].json()["message"]
    assert answers["wrong secret"].headers["x-amzn-ErrorType"] == "InvalidSignatureException"


def test_the_gateway_needs_the_functions_permission(cloud: Cloud) -> None:
    # Given
    functions = cloud.client("lambda")
    name = next(
        f["FunctionName"] for f in functions.list_functions()["Functions"] if "Hello" in f["FunctionName"]
    )
    statements = json.loads(functions.get_policy(FunctionName=name)["Policy"])["Statement"]
    given = next(s for s in statements if s["Condition"]["ArnLike"]["AWS:SourceArn"].split("/")[2] == "GET")
    # When
    functions.remove_permission(FunctionName=name, StatementId=given["Sid"])
    without = _send(cloud, "GET", "/hello/x", cloud.credentials)
    functions.add_permission(
        FunctionName=name,
        StatementId=given["Sid"],
        Action="lambda:InvokeFunction",
        Principal="apigateway.amazonaws.com",
        SourceArn=given["Condition"]["ArnLike"]["AWS:SourceArn"],
    )
    # Then
    assert without.status_code == 500
    assert _send(cloud, "GET", "/hello/x", cloud.credentials).status_code == 200


def test_a_handler_sees_only_its_own_world(cloud: Cloud) -> None:
    # When
    seen, error = _invoke(cloud, {"do": "look"})
    # Then
    assert error is None
    assert seen["shoal"] is False, "the editable install of the project must be invisible"
    assert {"AWS_LAMBDA_FUNCTION_NAME", "AWS_SESSION_TOKEN", "TABLE"} <= set(seen["variables"])
    assert not {"GREETING", "VIRTUAL_ENV", "PYTEST_CURRENT_TEST"} & set(seen["variables"])


def test_a_warm_environment_is_used_again(cloud: Cloud) -> None:
    assert _invoke(cloud, {"do": "look"})[0]["pid"] == _invoke(cloud, {"do": "look"})[0]["pid"]


@pytest.mark.parametrize(
    ("do", "kind"),
    [
        ("fail", "ValueError"),
        ("exit", "Runtime.ExitError"),
        ("sleep", "Sandbox.Timedout"),
        ("forbidden", "ClientError"),
    ],
)
def test_failures_have_lambdas_names(cloud: Cloud, do: str, kind: str) -> None:
    answer, error = _invoke(cloud, {"do": do})
    assert (error, answer["errorType"]) == ("Unhandled", kind)


def test_a_denial_is_answered_as_aws_does_and_reported(cloud: Cloud) -> None:
    # When
    answer, _ = _invoke(cloud, {"do": "forbidden"})
    # Then
    assert "AccessDeniedException" in answer["errorMessage"]
    assert "is not authorized to perform: dynamodb:GetItem" in answer["errorMessage"]
    role = _role_with(cloud, "dynamodb:PutItem")
    assert "dynamodb:GetItem" in [item["action"] for item in role["denied"]]
    assert {"statement": "Never", "action": "dynamodb:DeleteItem"} in role["unused"]


def test_logs_go_to_the_group_the_template_names(cloud: Cloud) -> None:
    # When
    _send(cloud, "GET", "/hello/logged", cloud.credentials)
    # Then
    events = cloud.client("logs").filter_log_events(logGroupName="/tiny/functions")["events"]
    lines = [event["message"] for event in events]
    assert "greeting logged" in lines
    assert any(line.startswith("REPORT RequestId:") for line in lines)


def test_the_machine_retries_waits_and_counts_on_the_clock(cloud: Cloud) -> None:
    # When
    started = time.monotonic()
    found = _run(cloud, "Machine", {"do": "flaky"})
    # Then
    assert found["status"] == "SUCCEEDED", found
    output = json.loads(found["output"])
    assert output["text"] == f"{output['more'] - 1} calls"
    assert time.monotonic() - started < 30, "60 s of Wait and 20 s of Retry must pass 200 times as fast"


@pytest.mark.parametrize(
    ("machine", "do", "error"),
    [
        ("Machine", "fail", "ValueError"),
        ("Machine", "exit", "Runtime.ExitError"),
        ("Powerless", "fail", "Lambda.AccessDeniedException"),
    ],
)
def test_errors_are_caught_by_name(cloud: Cloud, machine: str, do: str, error: str) -> None:
    found = _run(cloud, machine, {"do": do})
    assert (found["status"], found["error"]) == ("FAILED", error)


def test_a_schedule_fires_on_the_clock(cloud: Cloud) -> None:
    # rate(1 hour) at 200 times is 18 s: the rule was made when the stack was
    deadline = time.monotonic() + 40
    while time.monotonic() < deadline:
        items = cloud.client("dynamodb").scan(TableName=cloud.outputs["Table"])["Items"]
        if any(item["pk"]["S"].startswith("tick-") for item in items):
            return
        time.sleep(0.5)
    raise AssertionError("the schedule did not fire")


@pytest.mark.parametrize(
    ("token", "code"), [("", "UnrecognizedClientException"), ("wrong", "UnrecognizedClientException")]
)
def test_keys_without_their_token_are_unknown(cloud: Cloud, token: str, code: str) -> None:
    # Given
    from shoal_local.clients import Clients

    keys = cloud.credentials_for_role(cloud.outputs["Caller"], "test") | {"AWS_SESSION_TOKEN": token}
    if not token:
        keys.pop("AWS_SESSION_TOKEN")
    # When
    with pytest.raises(ClientError) as refused:
        Clients(cloud.endpoint_url, keys).client("dynamodb").list_tables()
    # Then
    assert refused.value.response["Error"]["Code"] == code


def test_the_control_face(cloud: Cloud) -> None:
    # Given
    face = f"{cloud.endpoint_url}/_shoal"
    fault = {"service": "dynamodb", "operation": "ListTables", "code": "ThrottlingException"}
    # When
    health = requests.get(f"{face}/health", timeout=10).json()
    rebound = requests.get(f"{face}/health", headers={"Host": "evil.example.org"}, timeout=10)
    requests.post(f"{face}/faults", json=fault, timeout=10)
    with pytest.raises(ClientError) as thrown:
        cloud.client("dynamodb").list_tables()
    # Then
    assert (health["status"], health["api_url"]) == ("up", cloud.api_url)
    assert "secret" not in json.dumps(health).lower()
    assert rebound.status_code == 403
    assert thrown.value.response["Error"]["Code"] == "ThrottlingException"
    assert requests.get(f"{face}/faults", timeout=10).json() == []
    assert ["dynamodb", "tables", cloud.outputs["Table"]] in requests.get(
        f"{face}/inventory", timeout=10
    ).json()
    assert requests.get(f"{face}/nothing", timeout=10).status_code == 404


def test_one_cloud_for_a_process(cloud: Cloud, project: Path) -> None:
    assert cloud.endpoint_url
    with pytest.raises(AlreadyRunning, match="already"), Cloud(root=project):
        pass


# Below: the stack changes; the order matters, so these stand last.


def test_an_unchanged_deployment_changes_nothing(cloud: Cloud) -> None:
    # Given
    before = cloud.inventory()
    # When
    cloud.deploy()
    # Then
    events = cloud.client("cloudformation").describe_stack_events(StackName=cloud.stack_name)["StackEvents"]
    latest = [event["ResourceStatus"] for event in events[:2]]
    assert latest == ["UPDATE_COMPLETE", "UPDATE_IN_PROGRESS"]
    assert cloud.inventory() == before


def test_an_update_changes_the_function_and_makes_what_a_condition_asks_for(cloud: Cloud) -> None:
    # When
    outputs = cloud.deploy(parameters={"Greeting": "moin", "WithQueue": "yes"})
    # Then
    assert "Queue" in outputs
    assert _send(cloud, "GET", "/hello/x", cloud.credentials).json()["text"] == "moin x"
    items = cloud.client("dynamodb").scan(TableName=outputs["Table"])["Items"]
    assert items, "an update keeps the table and what is in it"


def test_a_failing_update_goes_back(cloud: Cloud, project: Path) -> None:
    # Given
    broken = project / "broken.yaml"
    resource = "  Broken: {Type: AWS::Nowhere::Thing}\nOutputs:\n"
    broken.write_text((project / "template.yaml").read_text().replace("Outputs:\n", resource, 1))
    before = cloud.inventory()
    # When
    with pytest.raises(StackFailed, match="the embedded cloud has no AWS::Nowhere::Thing"):
        cloud.deploy(broken, {"Greeting": "moin", "WithQueue": "yes"})
    # Then
    stack = cloud.client("cloudformation").describe_stacks(StackName=cloud.stack_name)["Stacks"][0]
    assert stack["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert cloud.inventory() == before
    assert _send(cloud, "GET", "/hello/x", cloud.credentials).json()["text"] == "moin x"


def test_a_deleted_stack_leaves_nothing(cloud: Cloud) -> None:
    # When
    cloud.client("cloudformation").delete_stack(StackName=cloud.stack_name)
    # Then
    mine = ("dynamodb", "lambda", "stepfunctions", "apigateway", "sqs", "logs", "cloudformation")
    assert [item for item in cloud.inventory() if item[0] in mine or item[1] == "roles"] == []


def test_a_failing_creation_is_rolled_back_with_its_reason(cloud: Cloud, project: Path) -> None:
    # Given
    before = cloud.inventory()
    # When
    with pytest.raises(StackFailed, match="Broken: LookupError"):
        cloud.deploy(project / "broken.yaml")
    # Then
    events = cloud.client("cloudformation").describe_stack_events(StackName=cloud.stack_name)["StackEvents"]
    assert events[0]["ResourceStatus"] == "ROLLBACK_COMPLETE"
    left = [item for item in cloud.inventory() if item not in before]
    assert [item[:2] for item in left] == [("cloudformation", "stacks")]
