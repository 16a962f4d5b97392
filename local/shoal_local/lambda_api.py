"""The Lambda Runtime API for one execution environment (AWS guide, "Using the Lambda runtime API").

``GET .../invocation/next`` waits for work; ``POST .../response`` and ``.../error`` hand back the result.
"""

from __future__ import annotations

import queue
import threading
import time
import uuid
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from shoal_local.names import HOST


@dataclass(frozen=True)
class Invocation:
    request_id: str
    event: bytes
    deadline: float


@dataclass(frozen=True)
class Answer:
    """``kind`` is ``response``, ``error`` (the handler raised), ``init`` (the import failed) or ``exit``."""

    kind: str
    payload: bytes


class RuntimeApi:
    """One HTTP server for one process. ``ready`` is set when the runtime asks for its first work."""

    def __init__(self, function_arn: str) -> None:
        self.work: queue.Queue[Invocation] = queue.Queue()
        self.answers: queue.Queue[Answer] = queue.Queue()
        self.ready = threading.Event()
        handler = type("RuntimeHandler", (_Handler,), {"api": self, "function_arn": function_arn})
        self._server = ThreadingHTTPServer((HOST, 0), handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, name="shoal-runtime-api", daemon=True).start()

    @property
    def address(self) -> str:
        return f"{HOST}:{self._server.server_port}"

    def close(self) -> None:
        """Stop serving; safe from any thread but the server's own."""
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    api: RuntimeApi
    function_arn: str

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is http.server's
        """Nothing: the platform's own log is in CloudWatch."""

    def do_GET(self) -> None:
        self.api.ready.set()
        invocation = self.api.work.get()
        headers = {
            "Lambda-Runtime-Aws-Request-Id": invocation.request_id,
            "Lambda-Runtime-Deadline-Ms": str(int(invocation.deadline * 1000)),
            "Lambda-Runtime-Invoked-Function-Arn": self.function_arn,
            "Lambda-Runtime-Trace-Id": f"Root=1-{int(time.time()):08x}-{uuid.uuid4().hex[:24]};Sampled=0",
            "Content-Type": "application/json",
        }
        self._answer(200, invocation.event, headers)

    def do_POST(self) -> None:
        payload = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        kind = "init" if "/init/" in self.path else self.path.rsplit("/", 1)[-1]
        self.api.answers.put(Answer(kind, payload))
        self._answer(202, b"", {})

    def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
