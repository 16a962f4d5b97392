"""uvicorn in a thread; the main thread keeps the signals."""

from __future__ import annotations

import contextlib
import socket
import threading
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from shoal_worker.service.errors import ConfigurationError

KEEP_ALIVE_SECONDS = 75
"""Longer than the load balancer's idle timeout of 60 s, or it would reuse a connection closed here (502)."""

_GRACE_SECONDS = 3


def open_socket(host: str, port: int) -> socket.socket:
    """A listening socket.

    Raises:
        ConfigurationError: the port is taken or not allowed.
    """
    try:
        return socket.create_server((host, port), backlog=128)
    except OSError as error:
        raise ConfigurationError(
            f"cannot listen on {host}:{port} ({error.strerror}): set SHOAL_PORT"
        ) from error


def open_unix_socket(path: Path) -> socket.socket:
    """A listening Unix socket for this user and group; one left behind by a dead worker is replaced.

    Raises:
        ConfigurationError: another worker listens there, or the path cannot be used.
    """
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_stale(path)
        listener.bind(str(path))
        path.chmod(0o660)
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise ConfigurationError(
            f"cannot listen on {path} ({error.strerror}): set SHOAL_SOCKET, or SHOAL_TRANSPORT to tcp"
        ) from error
    return listener


def _remove_stale(path: Path) -> None:
    if not path.is_socket():
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        if probe.connect_ex(str(path)) == 0:
            raise ConfigurationError(f"another process listens on {path}: stop it, or set SHOAL_SOCKET")
    path.unlink()


class HttpServer:
    """Serves ``app`` on a socket until :meth:`stop`."""

    def __init__(self, app: ASGIApp, listener: socket.socket) -> None:
        config = uvicorn.Config(
            app, log_config=None, access_log=False, lifespan="off", server_header=False,
            timeout_keep_alive=KEEP_ALIVE_SECONDS, timeout_graceful_shutdown=_GRACE_SECONDS,
        )  # fmt: skip
        self._server = uvicorn.Server(config)
        self._listener = listener
        self._path = str(listener.getsockname())
        self._thread = threading.Thread(target=self._serve, name="http", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def stop(self, timeout: float) -> None:
        """Answer what is under way, then close."""
        self._server.should_exit = True
        self._thread.join(timeout)
        if self._listener.family == socket.AF_UNIX:
            with contextlib.suppress(OSError):
                Path(self._path).unlink(missing_ok=True)

    def _serve(self) -> None:
        self._server.run(sockets=[self._listener])
