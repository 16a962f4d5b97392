"""The container's own health check: ``python -m shoal_worker.service.healthcheck`` ends 0 when it is well."""

from __future__ import annotations

import http.client
import os
import socket
import sys
import time
from collections.abc import Mapping

from shoal_worker.service.errors import ConfigurationError
from shoal_worker.service.settings import WorkerSettings, read_settings

ALIVE_FILE = "alive"
STALE_SECONDS = 60.0
_TIMEOUT_SECONDS = 4.0


def check(settings: WorkerSettings) -> str:
    """An empty string when the worker is well, else what is wrong.

    With an endpoint, ``GET /health`` answers; without one, the supervisor touched its file within a minute.
    """
    if settings.has_endpoint:
        return _ask(_connection(settings), str(settings.socket or f"port {settings.port}"))
    alive = settings.work_dir / ALIVE_FILE
    if not alive.exists():
        return f"{alive} is not there: the worker has not started"
    age = time.time() - alive.stat().st_mtime
    return f"the supervisor has not moved for {age:.0f} s" if age > STALE_SECONDS else ""


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket; ``host`` is its path."""

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(_TIMEOUT_SECONDS)
        self.sock.connect(self.host)


def _connection(settings: WorkerSettings) -> http.client.HTTPConnection:
    if settings.socket:
        return _UnixConnection(str(settings.socket))
    return http.client.HTTPConnection("127.0.0.1", settings.port, timeout=_TIMEOUT_SECONDS)


def _ask(connection: http.client.HTTPConnection, place: str) -> str:
    try:
        connection.request("GET", "/health", headers={"Host": "localhost"})
        answer = connection.getresponse()
        return "" if answer.status == 200 else f"{answer.status}: {answer.read(500).decode(errors='replace')}"
    except OSError as error:
        return f"no answer on {place}: {error}"
    finally:
        connection.close()


def main(environment: Mapping[str, str] | None = None) -> int:
    """0 when the worker is well; the reason goes to standard error."""
    try:
        trouble = check(read_settings(os.environ if environment is None else environment))
    except ConfigurationError as error:
        trouble = error.reason
    if trouble:
        sys.stderr.write(trouble + "\n")
    return 1 if trouble else 0


if __name__ == "__main__":
    sys.exit(main())
