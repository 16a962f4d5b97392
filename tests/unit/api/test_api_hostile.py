"""Events that mean harm, and bodies that are wrong: every one is answered 4xx, as a problem document."""

from __future__ import annotations

import base64
import json
import logging
from typing import Any

import pytest
from rest_world import CONTEXT, World, event, send
from shoal.api import deployments

CANARY = "canary-4242"


def post(body: Any, **changes: Any) -> dict[str, Any]:
    return event("POST", "/deploy", body, **changes)


def text(value: str, **changes: Any) -> dict[str, Any]:
    return post(None, **changes) | {"body": value, "headers": {"content-type": "application/json"}}


def yaml_text(value: str) -> dict[str, Any]:
    return text(value) | {"headers": {"content-type": "application/yaml"}}


BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{later}: &{later} [{','.join([f'*{earlier}'] * 9)}]\n"
    for earlier, later in zip("abcdefgh", "bcdefghi", strict=True)
)

HOSTILE: dict[str, tuple[Any, int]] = {
    # the body's text
    "no body": (post(None), 400),
    "empty body": (text(""), 400),
    "blank body": (text("   "), 400),
    "not JSON": (text("{'name': 'reef'}"), 400),
    "truncated": (text('{"name": "reef"'), 400),
    "two documents": (text("{} {}"), 400),
    "a number": (text("1"), 422),
    "null": (text("null"), 400),
    "a list": (text("[]"), 422),
    "nested 17 deep": (text("[" * 17 + "]" * 17), 400),
    "nested 30,000 deep": (text("[" * 30_000), 400),
    "nested 10,000 deep in objects": (text('{"a":' * 10_000), 400),
    "an integer of 5,000 digits": (text('{"fleet_size": ' + "9" * 5000 + "}"), 400),
    "an integer of 19 digits": (text('{"fleet_size": ' + "9" * 19 + "}"), 400),
    "a long negative integer": (text('{"fleet_size": -' + "9" * 5000 + "}"), 400),
    "NaN": (text('{"timeout_hours": NaN}'), 400),
    "-Infinity": (text('{"timeout_hours": -Infinity}'), 400),
    "1e999": (text('{"timeout_hours": 1e999}'), 400),
    "the same key twice": (text('{"name": "a", "name": "b"}'), 400),
    "the same key twice, deeper": (text('{"a": [{"b": 1, "b": 2}]}'), 400),
    "a lone surrogate": (text('{"name": "\\ud800"}'), 400),
    "a lone surrogate in a key": (text('{"\\udfff": 1}'), 400),
    "NUL": (text('{"comment": "a\\u0000b"}'), 400),
    "escape": (text('{"comment": "\\u001b[2J"}'), 400),
    "8-bit CSI": (text('{"comment": "\\u009b2J"}'), 400),
    "raw newline in a string": (text('{"comment": "a\nb"}'), 400),
    "one byte too many": (text('"' + "a" * 65_535 + '"'), 413),
    "6 MB": (text("a" * 6_000_000), 413),
    "6 MB in base64": (text("YWFh" * 1_500_000) | {"isBase64Encoded": True}, 413),
    # base64 lies
    "base64 that is none": (text("{}!") | {"isBase64Encoded": True}, 400),
    "base64 of bytes that are no UTF-8": (
        text(base64.b64encode(b"\xff\xfe{}").decode()) | {"isBase64Encoded": True},
        400,
    ),
    "plain text with half a surrogate pair": (text('{"a": "\ud800"}'), 400),
    # content types
    "multipart without a boundary": (text("x") | {"headers": {"Content-Type": "multipart/form-data"}}, 415),
    "multipart": (text("--b\r\n") | {"headers": {"Content-Type": "multipart/form-data; boundary=b"}}, 415),
    "a form": (text("a=b") | {"headers": {"content-type": "application/x-www-form-urlencoded"}}, 415),
    "XML": (text("<a/>") | {"headers": {"CONTENT-TYPE": "application/xml"}}, 415),
    "a type of 10,000 characters": (text("{}") | {"headers": {"content-type": "a" * 10_000}}, 415),
    # YAML
    "YAML: billion laughs": (yaml_text(BOMB), 400),
    "YAML: an object of Python": (yaml_text("!!python/object/apply:os.system ['true']"), 400),
    "YAML: a tag": (yaml_text("name: !!str 1"), 400),
    "YAML: merge keys": (yaml_text("a: &x {b: 1}\nc:\n  <<: *x"), 400),
    "YAML: 20,000 brackets": (yaml_text("[" * 20_000), 400),
    "YAML: the same key twice": (yaml_text("name: a\nname: b"), 400),
    "YAML: two documents": (yaml_text("name: a\n---\nname: b"), 400),
    "YAML: infinity": (yaml_text("TimeoutHours: .inf"), 400),
    "YAML: a date": (yaml_text("Comment: 2026-01-01"), 400),
    "YAML: a date that does not exist": (yaml_text("Comment: 2026-13-41"), 400),
    "YAML: a huge hexadecimal number": (yaml_text("FleetSize: 0x" + "f" * 5000), 400),
    "YAML: a key that is a list": (yaml_text("? [a]\n: 1"), 400),
    "YAML: a key that is a number": (yaml_text("1: a"), 400),
    "YAML: not YAML": (yaml_text("a: [b"), 400),
    "YAML: plain text": (yaml_text("just words"), 422),
    # the event itself
    "no event": (None, 400),
    "a list for an event": ([], 400),
    "an empty event": ({}, 400),
    "no path": ({"httpMethod": "GET"}, 400),
    "a path that is a number": ({"httpMethod": "GET", "path": 7}, 400),
    "an unknown method": (event("BREW", "/deploy"), 400),
    "CRLF in the path": (event("GET", "/deploy/a\r\nX-Evil: 1"), 400),
    "NUL in the path": (event("GET", "/deploy/\x00"), 400),
    "a path of 100,000 characters": (event("GET", "/deploy/" + "a" * 100_000), 400),
    "dots in the path": (event("GET", "/deploy/../registry"), 404),
    "encoded dots in the path": (event("GET", "/deploy/%2e%2e%2fregistry"), 404),
    "another language's letters in the path": (event("GET", "/deploy/\u0440eef"), 400),
    "an unknown route": (event("GET", "/admin"), 404),
    "a method that the route has not": (event("PUT", "/deploy", {}), 404),
    "null headers": (text("[]") | {"headers": None}, 422),
    "headers that are a list": (text("[]") | {"headers": ["a"]}, 422),
    "a header that is a number": (text("[]") | {"headers": {"content-type": 5}}, 422),
    "no request context": (text("[]") | {"requestContext": None}, 422),
    "a request context that is text": (text("[]") | {"requestContext": "x"}, 422),
    "a body that is an object": (post(None) | {"body": {"name": "reef"}}, 400),
    # what the fields say
    "a specification of nothing": (text("{}"), 422),
    "an argument as an object": (text('{"name": {"$ne": 1}}'), 422),
    "a location that is no S3 URI": (post({"name": "reef", "model_location": "file:///etc/passwd"}), 422),
    "a location with dots": (
        post({"name": "reef", "model_location": "s3://shoal-data/../../etc/passwd"}),
        422,
    ),
    "a presigned URL": (
        post({"name": "reef", "model_location": "https://b.s3.amazonaws.com/k?X-Amz-Signature=1"}),
        422,
    ),
    "an address with a second header": (
        post({"name": "reef", "model_location": "s3://b/k", "notify": ["a@example.org\nBcc: b@example.org"]}),
        422,
    ),
    "1,000 unknown fields": (post({f"field{n}": n for n in range(1000)}), 422),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_every_hostile_event_is_answered(case: str) -> None:
    # Given
    hostile, status = HOSTILE[case]
    # When
    answer = send("deploy_api", hostile)
    # Then
    assert answer.status == status, answer.body
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert set(answer.body) == {"type", "title", "status", "detail", "instance", "code", "errors"}
    assert (answer.body["status"], answer.body["type"]) == (
        status,
        f"urn:shoal:problem:{answer.body['code']}",
    )
    assert answer.body["instance"] == f"urn:shoal:request:{CONTEXT.aws_request_id}"
    assert answer.body["detail"]


def test_the_corpus_is_large_enough() -> None:
    assert len(HOSTILE) >= 60


@pytest.mark.parametrize("function", ["job_intake", "model_registry"])
@pytest.mark.parametrize("case", ["no event", "6 MB", "NaN", "multipart", "nested 30,000 deep", "1e999"])
def test_the_other_functions_have_the_same_guard(function: str, case: str) -> None:
    # Given
    hostile, _ = HOSTILE[case]
    path = {"job_intake": "/deploy/reef/jobs", "model_registry": "/registry"}[function]
    # When
    answer = send(function, hostile | {"path": path} if isinstance(hostile, dict) else hostile)
    # Then
    assert 400 <= answer.status < 500
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_yaml_is_accepted_below_deploy_only(world: World) -> None:
    answer = world.call("POST", "/registry", "model: a", content_type="application/yaml")
    assert (answer.status, answer.body["code"]) == (415, "unsupported-media-type")


def test_an_unexpected_error_is_told_to_the_log_only(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # Given a bug
    def broken(_: object) -> None:
        raise KeyError(CANARY)

    monkeypatch.setattr(deployments, "list_all", broken)
    # When
    with _streaming_to_stdout():
        answer = world.call("GET", "/deploy")
    # Then
    assert (answer.status, answer.body["code"]) == (500, "internal")
    assert CANARY not in json.dumps(answer.body)
    assert CONTEXT.aws_request_id in answer.body["detail"]
    logged = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(one["code"], CANARY in one["exception"]) for one in logged] == [("internal", True)]


def test_a_bug_before_the_resolver_is_answered_too(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given
    from shoal.api import gate

    def broken(*_: object) -> None:
        raise RecursionError(CANARY)

    monkeypatch.setattr(gate, "read", broken)
    # When
    answer = send("deploy_api", event("GET", "/deploy"))
    # Then
    assert (answer.status, CANARY in json.dumps(answer.body)) == (500, False)


class _streaming_to_stdout:
    """The one logger keeps the stream of its first use: give it the captured one."""

    def __enter__(self) -> None:
        import sys

        from shoal.telemetry import logger

        self._handlers = [one for one in logger().handlers if isinstance(one, logging.StreamHandler)]
        self._streams = [one.setStream(sys.stdout) for one in self._handlers]

    def __exit__(self, *_: object) -> None:
        for handler, stream in zip(self._handlers, self._streams, strict=True):
            if stream is not None:
                handler.setStream(stream)
