"""The small parts of the embedded cloud, each by itself."""

from __future__ import annotations

import importlib.util
import io
import json
import stat
import zipfile
from email.message import EmailMessage
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from shoal_local.clock import Clock
from shoal_local.faults import Fault, Faults
from shoal_local.gateway_errors import gateway_error
from shoal_local.gateway_event import proxy_response
from shoal_local.mailbox import Mailbox
from shoal_local.patches import contract
from shoal_local.ports import PortBlock
from shoal_local.refusals import denied_code, refusal
from shoal_local.sam_package import package, zip_folder
from shoal_local.sam_transform import parse_template, transform
from shoal_local.schedules import rate_seconds, scheduled_event
from shoal_local.sigv4 import BadSignature, verify
from shoal_local.state import read_state, remove_state, write_state

_SPEC = importlib.util.spec_from_file_location("wire_tools", Path(__file__).with_name("wire_tools.py"))
assert _SPEC is not None
assert _SPEC.loader is not None
wire_tools = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(wire_tools)


@pytest.mark.parametrize(("speed", "simulated", "real"), [(1, 5, 5), (10, 60, 6), (0.5, 1, 2), (10, -3, 0)])
def test_the_clock_scales(speed: float, simulated: float, real: float) -> None:
    assert Clock(speed).seconds(simulated) == pytest.approx(real)


def test_the_clock_refuses_to_stand_still() -> None:
    with pytest.raises(ValueError, match="above 0"):
        Clock(0)


@pytest.mark.parametrize(
    ("expression", "seconds"),
    [
        ("rate(1 minute)", 60),
        ("rate(5 minutes)", 300),
        ("rate(2 hours)", 7200),
        ("cron(0 12 * * ? *)", None),
        ("", None),
    ],
)
def test_rates(expression: str, seconds: float | None) -> None:
    assert rate_seconds(expression) == seconds


def test_a_scheduled_event_names_its_rule() -> None:
    assert scheduled_event("arn:rule")["resources"] == ["arn:rule"]


def _folder(root: Path) -> Path:
    (root / "pkg" / "__pycache__").mkdir(parents=True)
    (root / "pkg" / "__init__.py").write_text("")
    (root / "pkg" / "__pycache__" / "x.pyc").write_bytes(b"x")
    (root / "requirements.txt").write_text("boto3\n")
    return root


def test_a_zip_is_the_same_for_the_same_content_and_has_no_caches(tmp_path: Path) -> None:
    # Given
    folder = _folder(tmp_path / "a")
    first = zip_folder(folder, "python/")
    (folder / "requirements.txt").touch()
    # When
    again = zip_folder(folder, "python/")
    # Then
    assert first == again
    names = zipfile.ZipFile(io.BytesIO(first)).namelist()
    assert names == ["python/pkg/__init__.py", "python/requirements.txt"]


def test_packaging_puts_every_local_path_into_s3(tmp_path: Path) -> None:
    # Given
    _folder(tmp_path / "code")
    (tmp_path / "machine.json").write_text("{}")
    template = {
        "Globals": {"Function": {"CodeUri": "code"}},
        "Resources": {
            "A": {"Type": "AWS::Serverless::Function", "Properties": {}},
            "B": {"Type": "AWS::Serverless::Function", "Properties": {"CodeUri": "s3://there/already.zip"}},
            "C": {"Type": "AWS::Serverless::StateMachine", "Properties": {"DefinitionUri": "machine.json"}},
        },
    }
    puts: dict[str, bytes] = {}
    s3 = SimpleNamespace(put_object=lambda Bucket, Key, Body: puts.update({f"s3://{Bucket}/{Key}": Body}))
    # When
    packaged = package(template, tmp_path, s3, "artifacts")["Resources"]
    # Then
    assert packaged["A"]["Properties"]["CodeUri"] in puts
    assert packaged["B"]["Properties"]["CodeUri"] == "s3://there/already.zip"
    assert puts[packaged["C"]["Properties"]["DefinitionUri"]] == b"{}"
    assert template["Resources"]["A"]["Properties"] == {}


def test_the_sam_macro_runs_without_a_network_and_without_a_region_in_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Given
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    sam = parse_template("""
Transform: AWS::Serverless-2016-10-31
Resources:
  F: {Type: AWS::Serverless::Function, Properties: {Runtime: python3.11, Handler: a.b, CodeUri: "s3://b/k"}}
""")
    # When
    plain = transform(sam, {})
    # Then
    assert {resource["Type"] for resource in plain["Resources"].values()} == {
        "AWS::Lambda::Function",
        "AWS::IAM::Role",
    }
    assert "Transform" not in plain


def test_two_blocks_of_ports_never_meet() -> None:
    # Given
    first, second = PortBlock(), PortBlock()
    # Then
    taken = [{*range(one.first, one.last + 1), *one.stand_ins().values()} for one in (first, second)]
    assert [len(ports) for ports in taken] == [52, 52]
    assert taken[0] & taken[1] == set()
    assert set(first.stand_ins()) == {443, 80}
    first.stop()
    second.stop()


def test_the_state_file_is_for_its_owner_only(tmp_path: Path) -> None:
    # Given
    keys = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "s"}
    cloud: Any = SimpleNamespace(summary=lambda: {"pid": 1, "outputs": {}}, credentials=keys)
    file = tmp_path / "deep" / "local.json"
    # When
    write_state(file, cloud)
    # Then
    assert read_state(file) == {"pid": 1, "outputs": {}, "access_key": "a", "secret_key": "s"}
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    remove_state(file)
    assert read_state(file) is None


def test_a_fault_hits_its_call_as_often_as_asked() -> None:
    # Given
    faults = Faults()
    faults.add(Fault("ecs", "CreateCluster", "ThrottlingException", times=2))
    # When
    hits = [faults.take("ecs", "CreateCluster") for _ in range(3)]
    # Then
    assert [hit.code if hit else None for hit in hits] == ["ThrottlingException", "ThrottlingException", None]
    assert faults.take("ecs", "DeleteCluster") is None
    assert not faults.active()


@pytest.mark.parametrize(
    ("service", "code", "status", "where"),
    [
        ("ecs", "AccessDeniedException", 400, '"__type": "AccessDeniedException"'),
        ("dynamodb", "AccessDeniedException", 400, '"__type": "AccessDeniedException"'),
        ("lambda", "AccessDeniedException", 403, '"message": "no"'),
        ("elbv2", "AccessDenied", 403, "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code>"),
        ("ec2", "UnauthorizedOperation", 403, "<Response><Errors><Error><Code>UnauthorizedOperation</Code>"),
        ("s3", "AccessDenied", 403, "<Error><Code>AccessDenied</Code>"),
    ],
)
def test_a_denial_has_the_shape_of_its_protocol(service: str, code: str, status: int, where: str) -> None:
    response = refusal(service, denied_code(service), "no")
    assert denied_code(service) == code
    assert response.status_code == status
    assert where in response.get_data(as_text=True)


def _signed(service: str = "stepfunctions") -> dict[str, Any]:
    return dict(wire_tools.environ_of(service, "list_executions", {"stateMachineArn": "arn"}))


def test_a_good_signature_is_accepted() -> None:
    environ = _signed()
    verify(environ, environ["wsgi.input"].read(), wire_tools.KEY, "secret", "states", "us-west-2")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"secret": "other"}, "does not match"),
        ({"body": b"{}"}, "does not match"),
        ({"environ": {"HTTP_X_AMZ_DATE": "20200101T000000Z"}}, "15 minutes"),
        ({"environ": {"HTTP_X_AMZ_DATE": "yesterday"}}, "not a timestamp"),
        ({"environ": {"HTTP_AUTHORIZATION": "Bearer x"}}, "not SigV4"),
        ({"environ": {"HTTP_X_AMZ_TARGET": "AWSStepFunctions.DeleteStateMachine"}}, "does not match"),
    ],
)
def test_a_bad_signature_is_refused(change: dict[str, Any], words: str) -> None:
    environ = _signed()
    body = change.get("body", environ["wsgi.input"].read())
    secret = change.get("secret", "secret")
    with pytest.raises(BadSignature, match=words):
        verify({**environ, **change.get("environ", {})}, body, wire_tools.KEY, secret, "states", "us-west-2")


def test_the_mailbox_keeps_both_bodies() -> None:
    # Given
    mailbox = Mailbox()
    body = {"Text": {"Data": "plain"}, "Html": {"Data": "<p>rich</p>"}}
    message = {"Subject": {"Data": "hello"}, "Body": body}
    parameters = {
        "Source": "a@example.org",
        "Destination": {"ToAddresses": ["b@example.org"]},
        "Message": message,
    }
    raw = EmailMessage()
    raw["Subject"], raw["From"], raw["To"] = "raw", "a@example.org", "c@example.org"
    raw.set_content("plain")
    raw.add_alternative("<p>rich</p>", subtype="html")
    # When
    mailbox.take(wire_tools.call_of("ses", "send_email", parameters), b"<MessageId>m1</MessageId>")
    sent = {"RawMessage": {"Data": raw.as_bytes()}}
    mailbox.take(wire_tools.call_of("ses", "send_raw_email", sent), b"<MessageId>m2</MessageId>")
    # Then
    assert [mail["id"] for mail in mailbox.all()] == ["m1", "m2"]
    assert [mail["to"] for mail in mailbox.all()] == [["b@example.org"], ["c@example.org"]]
    for mail in mailbox.all():
        assert (mail["text"].strip(), mail["html"].strip()) == ("plain", "<p>rich</p>")


@pytest.mark.parametrize(
    ("payload", "status"),
    [
        ({"statusCode": 201, "body": "x"}, 201),
        ({"statusCode": 200, "body": "eA==", "isBase64Encoded": True}, 200),
        ({"body": "no status"}, None),
        ({"statusCode": 200, "extra": 1}, None),
        ("text", None),
    ],
)
def test_a_handlers_answer_becomes_http_or_is_malformed(payload: Any, status: int | None) -> None:
    response = proxy_response(json.dumps(payload).encode())
    assert (response.status_code if response else None) == status
    if response is not None:
        assert response.get_data() == b"x"


def test_a_gateway_response_follows_the_apis_template() -> None:
    # Given
    own = {
        "responseParameters": {"gatewayresponse.header.Content-Type": "'application/problem+json'"},
        "responseTemplates": {
            "application/json": '{"detail":$context.error.messageString,"instance":"$context.path"}'
        },
    }
    body = {"x-amazon-apigateway-gateway-responses": {"DEFAULT_4XX": own}}
    # When
    response = gateway_error(body, "/prod/deploy", 403, 'say "please"', "AccessDeniedException")
    # Then
    assert response.content_type == "application/problem+json"
    assert json.loads(response.get_data()) == {"detail": 'say "please"', "instance": "/prod/deploy"}
    assert json.loads(gateway_error(body, "/", 502, "broken", "X").get_data()) == {"message": "broken"}


def test_contracts_are_registered_once() -> None:
    assert contract("moto.server", "ThreadedMotoServer") == contract("moto.server", "ThreadedMotoServer")
