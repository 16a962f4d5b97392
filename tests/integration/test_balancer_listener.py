"""A listener on loopback: bodies, headers, what it answers by itself."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fleet_world import eventually, get
from shoal_local.balancer.proxy import Door, Listener
from shoal_local.balancer.routing import Rule, Table, Target
from shoal_local.fleet.cloud import free_port, free_port_block

WORKER = Path(__file__).with_name("fleet_worker.py")
FORWARD = {"Type": "forward", "TargetGroupArn": "g"}


@pytest.fixture(scope="module")
def worker() -> Iterator[int]:
    """The port of a running worker."""
    port = free_port()
    environment = {**os.environ, "SHOAL_PORT": str(port)}
    with subprocess.Popen(
        [sys.executable, str(WORKER)], env=environment, stdout=subprocess.DEVNULL
    ) as process:
        eventually(lambda: get(f"http://127.0.0.1:{port}/")[0] == 200)
        yield port
        process.kill()


class Front:
    """A listener whose only rule has the given action."""

    def __init__(self, port: int, worker: int) -> None:
        self.port = port
        self.action: dict[str, Any] = FORWARD
        self.targets: tuple[Target, ...] = (Target("i-1", 32768, worker, "healthy"),)

    def table(self) -> Table:
        return Table((Rule(1, (), (self.action,)),), {"g": self.targets})

    def request(self, method: str = "GET", path: str = "/", **more: Any) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request(method, path, **more)
        return connection.getresponse()


@pytest.fixture
def front(worker: int) -> Iterator[Front]:
    front = Front(free_port(), worker)
    door = Door(front.port, front.port)
    listener = Listener(door, front.table)
    yield front
    listener.close()
    assert get(f"http://127.0.0.1:{front.port}/")[0] == 0


@pytest.mark.parametrize("size", [0, 1, 8_000_000])
def test_a_body_passes_whole(front: Front, size: int) -> None:
    body = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    assert front.request("POST", "/echo", body=body).read() == body[::-1]


def test_a_chunked_body_passes_whole(front: Front) -> None:
    blocks = [b"abc", b"def" * 30_000]
    answer = front.request(
        "POST", "/echo", body=iter(blocks), headers={"Transfer-Encoding": "chunked"}, encode_chunked=True
    )
    assert answer.read() == b"".join(blocks)[::-1]


def test_one_connection_carries_many_requests(front: Front) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", front.port, timeout=10)
    for _ in range(3):
        connection.request("POST", "/echo", body=b"ab")
        assert connection.getresponse().read() == b"ba"
    connection.close()


def test_the_worker_sees_who_asked(front: Front) -> None:
    seen = json.loads(front.request(path="/headers", headers={"X-Forwarded-For": "198.51.100.7"}).read())
    assert seen["X-Forwarded-For"] == "198.51.100.7, 127.0.0.1"
    assert (seen["X-Forwarded-Proto"], seen["X-Forwarded-Port"]) == ("http", str(front.port))
    assert seen["X-Amzn-Trace-Id"].startswith("Root=1-")
    assert seen["Host"] == f"127.0.0.1:{front.port}"


@pytest.mark.parametrize("state", ["initial", "unhealthy", "draining", "unused"])
def test_without_a_healthy_target_it_answers_503(front: Front, state: str) -> None:
    front.targets = tuple(Target(t.identity, t.port, t.local_port, state) for t in front.targets)
    answer = front.request("POST", "/echo", body=b"x" * 100_000)
    assert (answer.status, answer.getheader("Server")) == (503, "awselb/2.0")
    assert b"503 Service Temporarily Unavailable" in answer.read()


def test_a_target_that_does_not_listen_is_a_bad_gateway(front: Front) -> None:
    front.targets = (Target("i-1", 32768, free_port(), "healthy"),)
    assert front.request().status == 502


def test_a_fixed_response_is_given(front: Front) -> None:
    front.action = {
        "Type": "fixed-response",
        "FixedResponseConfig": {
            "StatusCode": "404",
            "MessageBody": "no such model",
            "ContentType": "text/plain",
        },
    }
    answer = front.request()
    assert (answer.status, answer.read(), answer.getheader("Content-Type")) == (
        404,
        b"no such model",
        "text/plain",
    )


def test_a_redirect_keeps_what_it_does_not_name(front: Front) -> None:
    front.action = {"Type": "redirect", "RedirectConfig": {"Port": "8443", "StatusCode": "HTTP_301"}}
    answer = front.request(path="/a/b?c=d")
    assert (answer.status, answer.getheader("Location")) == (301, "http://127.0.0.1:8443/a/b?c=d")


@pytest.fixture
def doors(worker: int) -> Iterator[tuple[Front, Front]]:
    """An HTTPS listener on 443 and one on 80 that leads to it, both on ports that anybody may listen on."""
    stand_ins = {443: free_port(), 80: free_port()}
    secure, plain = Front(stand_ins[443], worker), Front(stand_ins[80], worker)
    redirect = {"Protocol": "HTTPS", "Port": "443", "StatusCode": "HTTP_301"}
    plain.action = {"Type": "redirect", "RedirectConfig": redirect}
    listeners = [
        Listener(Door(stand_ins[443], 443, "https", stand_ins), secure.table),
        Listener(Door(stand_ins[80], 80, "http", stand_ins), plain.table),
    ]
    yield secure, plain
    for listener in listeners:
        listener.close()


def test_port_80_leads_to_what_answers_for_443(doors: tuple[Front, Front]) -> None:
    # Given
    secure, plain = doors
    host = {"Host": "reef.shoal.localhost"}
    # When
    answer = plain.request(path="/headers?a=1", headers=host)
    # Then
    where = f"http://reef.shoal.localhost:{secure.port}/headers?a=1"
    assert (answer.status, answer.getheader("Location")) == (301, where)
    # When
    seen = json.loads(secure.request(path="/headers", headers=host).read())
    # Then: the worker believes in the TLS that is not there
    assert (seen["X-Forwarded-Proto"], seen["X-Forwarded-Port"]) == ("https", "443")
    assert seen["Host"] == "reef.shoal.localhost"


def test_a_head_request_has_no_body(front: Front) -> None:
    front.action = {
        "Type": "fixed-response",
        "FixedResponseConfig": {"StatusCode": "200", "MessageBody": "text"},
    }
    assert front.request("HEAD").read() == b""


def test_a_busy_port_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="in use"):
        Listener(Door(taken.getsockname()[1], 80), Table)


def test_a_block_of_ports_is_free() -> None:
    first, last = free_port_block(5)
    assert last - first == 4
    with socket.create_server(("127.0.0.1", first + 2)):
        assert free_port_block(5)[0] > first
