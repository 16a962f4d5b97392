"""The control face of the embedded cloud: JSON under ``/_shoal/`` for the command line and for tests.

``GET health | mailbox | inventory | iam | faults | state``, ``POST faults`` (one fault), ``DELETE faults``,
``POST reset-iam`` (forget the decisions), ``POST stop``.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from werkzeug.wrappers import Request, Response

from shoal_local.faults import Fault
from shoal_local.fleet.faults import FleetFault
from shoal_local.names import HOST
from shoal_local.wire import Environ

if TYPE_CHECKING:
    from shoal_local.cloud import Cloud

PREFIX = "/_shoal/"
_HOSTS = frozenset({HOST, "localhost", "[::1]"})


class Control:
    """A WSGI application in front of another: takes ``/_shoal/``, passes on the rest."""

    def __init__(self, cloud: Cloud, inner: Callable[[Environ, Any], Iterable[bytes]]) -> None:
        self._cloud = cloud
        self._inner = inner

    def __call__(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
        if not environ.get("PATH_INFO", "").startswith(PREFIX):
            return self._inner(environ, start_response)
        return self._answer(Request(environ))(environ, start_response)

    def _answer(self, request: Request) -> Response:
        # a web page that resolves its own name to 127.0.0.1 must not get in
        if request.host.rsplit(":", 1)[0] not in _HOSTS:
            return _json({"error": "the control face answers to 127.0.0.1 only"}, 403)
        path = request.path.removeprefix(PREFIX).strip("/")
        handler = self._handlers().get((request.method, path))
        if handler is None:
            return _json({"error": f"no {request.method} {path} here"}, 404)
        return _json(handler(request))

    def _handlers(self) -> dict[tuple[str, str], Callable[[Request], Any]]:
        cloud = self._cloud
        return {
            ("GET", "health"): lambda _: {"status": "up", **cloud.summary()},
            ("GET", "mailbox"): lambda _: cloud.mailbox(),
            ("GET", "inventory"): lambda _: cloud.inventory(),
            ("GET", "iam"): lambda _: cloud.iam_report(),
            ("GET", "faults"): lambda _: cloud.faults.listed(),
            ("POST", "faults"): self._add_fault,
            ("DELETE", "faults"): self._clear_faults,
            ("POST", "reset-iam"): self._reset_iam,
            ("POST", "stop"): self._stop,
        }

    def _add_fault(self, request: Request) -> Any:
        """``{"kind", "name"}`` is a fault of the fleet, ``{"service", "operation", "code"}`` of a call."""
        wanted = request.get_json()
        if "kind" in wanted:
            self._cloud.faults.fleet.add(FleetFault(**wanted))
        else:
            self._cloud.faults.add(Fault(**wanted))
        return self._cloud.faults.listed()

    def _clear_faults(self, request: Request) -> Any:
        del request
        self._cloud.faults.clear()
        return []

    def _reset_iam(self, request: Request) -> Any:
        del request
        self._cloud.iam.ledger.clear()
        return {}

    def _stop(self, request: Request) -> Any:
        """Answer first, then let whoever keeps the cloud up end it."""
        del request
        threading.Timer(0.1, self._cloud.stop_requested.set).start()
        return {"status": "stopping"}


def _json(body: Any, status: int = 200) -> Response:
    return Response(json.dumps(body, default=str), status, content_type="application/json")
