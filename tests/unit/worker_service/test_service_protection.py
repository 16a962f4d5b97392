"""Task protection: asked on edges only, and never fatal."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from shoal_worker.service.protection import TaskProtection


class Agent(ThreadingHTTPServer):
    """The ECS agent's endpoint, which remembers what it was asked."""

    answer: bytes = b'{"protection": {"ProtectionEnabled": true}}'

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[tuple[str, dict[str, Any]]] = []

    @property
    def uri(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/api/id"


class _Handler(BaseHTTPRequestHandler):
    def do_PUT(self) -> None:
        assert isinstance(self.server, Agent)
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append((self.path, body))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.server.answer)

    def log_message(self, *_: object) -> None:
        """Silence."""


@pytest.fixture
def agent() -> Iterator[Agent]:
    with Agent() as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield server
        server.shutdown()


def test_only_edges_are_told(agent: Agent) -> None:
    # Given
    protection = TaskProtection(agent.uri, 2.0)
    # When
    for step in ("idle", "busy", "busy", "busy", "idle", "idle", "busy"):
        getattr(protection, step)()
    # Then
    on = {"ProtectionEnabled": True, "ExpiresInMinutes": 150}
    assert [body for _, body in agent.asked] == [on, {"ProtectionEnabled": False}, on]
    assert {path for path, _ in agent.asked} == {"/api/id/task-protection/v1/state"}


def test_a_long_row_of_videos_renews_it_before_it_can_run_out(agent: Agent) -> None:
    clock = iter([0.0, 1700.0, 1900.0, 1900.0, 2000.0])
    protection = TaskProtection(agent.uri, 2.0, now=lambda: next(clock))
    for _ in range(4):
        protection.busy()
    assert len(agent.asked) == 2


@pytest.mark.parametrize(("hours", "minutes"), [(0.01, 31), (2.0, 150), (11.5, 720)])
def test_it_outlasts_the_deadline(hours: float, minutes: int, agent: Agent) -> None:
    TaskProtection(agent.uri, hours).busy()
    assert agent.asked[0][1]["ExpiresInMinutes"] == minutes


@pytest.mark.parametrize("answer", [b'{"failure": {"Reason": "DEPLOYMENT_BLOCKED"}}', b"not json"])
def test_a_refusal_is_logged(answer: bytes, agent: Agent, caplog: pytest.LogCaptureFixture) -> None:
    agent.answer = answer
    with caplog.at_level(logging.WARNING):
        TaskProtection(agent.uri, 2.0).busy()
    assert "task protection" in caplog.text


@pytest.mark.parametrize("uri", ["http://127.0.0.1:9", ""])
def test_no_agent_is_no_error(uri: str) -> None:
    TaskProtection(uri, 2.0).busy()
