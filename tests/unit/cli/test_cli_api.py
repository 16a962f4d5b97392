"""The API client against a real HTTP server on loopback: signed requests, pages, problems."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest
from shoal_cli.api import Api
from shoal_cli.connection import Connection
from shoal_cli.errors import ApiProblem, CliError, NoCloud

PROBLEM = {
    "type": "about:blank",
    "title": "The request is not valid",
    "status": 422,
    "detail": "one field is wrong",
    "errors": [{"field": "fleet_size", "detail": "must be at least 1"}],
}


class Handler(BaseHTTPRequestHandler):
    seen: ClassVar[list[tuple[str, str, str, str]]] = []

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the base class's name)
        """Quiet."""

    def _answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length).decode()
        self.seen.append((self.command, self.path, self.headers.get("Authorization", ""), body))
        status, answer = self._route(body)
        data = answer.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _route(self, body: str) -> tuple[int, str]:
        url = urlsplit(self.path)
        if url.path == "/prod/deploy" and self.command == "GET":
            token = parse_qs(url.query).get("next_token", [""])[0]
            page = {"": (["a", "b"], "p 2"), "p 2": (["c"], None)}[token]
            return 200, json.dumps({"deployments": [{"name": n} for n in page[0]], "next_token": page[1]})
        if url.path == "/prod/deploy":
            return (422, json.dumps(PROBLEM)) if "bad" in body else (202, json.dumps({"name": "reef"}))
        if url.path == "/prod/deploy/html":
            return 502, "<html>"
        return 403, json.dumps({"message": "Missing Authentication Token"})

    do_GET = do_POST = do_DELETE = _answer


@pytest.fixture
def server() -> Iterator[str]:
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Handler.seen.clear()
    threading.Thread(target=httpd.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{httpd.server_port}/prod"
    httpd.shutdown()
    httpd.server_close()


@pytest.fixture
def api(server: str) -> Api:
    session = boto3.Session(
        aws_access_key_id="AKIAEXAMPLE", aws_secret_access_key="x", region_name="us-west-2"
    )
    return Api(Connection(server, "us-west-2", {}, session, "http://127.0.0.1:1"))


def test_requests_are_signed_for_the_api(api: Api) -> None:
    # When
    answer = api.deploy({"name": "reef"})
    # Then
    assert answer == {"name": "reef"}
    method, path, authorization, body = Handler.seen[0]
    assert (method, path, json.loads(body)) == ("POST", "/prod/deploy", {"name": "reef"})
    assert authorization.startswith("AWS4-HMAC-SHA256 Credential=AKIAEXAMPLE/")
    assert "/us-west-2/execute-api/aws4_request" in authorization


def test_all_pages_are_read(api: Api) -> None:
    assert [one["name"] for one in api.deployments()] == ["a", "b", "c"]


def test_a_problem_names_the_field(api: Api) -> None:
    with pytest.raises(ApiProblem, match="422 The request is not valid: one field is wrong") as caught:
        api.deploy({"name": "bad"})
    assert caught.value.advice == "  fleet_size: must be at least 1"


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("html", CliError, "502 without JSON"),  # a gateway in between
        ("unsigned", ApiProblem, "403 Missing Authentication Token"),
    ],
)
def test_other_answers_are_errors(api: Api, name: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        api.deployment(name)


def test_nobody_there() -> None:
    # Given
    session = boto3.Session(aws_access_key_id="a", aws_secret_access_key="b", region_name="us-west-2")
    # Then
    with pytest.raises(NoCloud, match="did not answer"):
        Api(Connection("http://127.0.0.1:1", "us-west-2", {}, session)).deployment("reef")
