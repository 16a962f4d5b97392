"""One container as one real process: started, heard, stopped, in a thread of its own that lives as long."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from shoal_local.fleet.logs import LogPump

LAUNCHER = Path(__file__).with_name("launch.py")
_POLL_SECONDS = 0.2


class ContainerProcess:
    """SIGTERM, then SIGKILL after the stop timeout, to the whole process group; dies with this process too.

    :meth:`run` must be called on a thread that outlives the child: the parent-death signal follows the
    thread.
    """

    def __init__(self, command: Sequence[str], environment: dict[str, str], folder: Path) -> None:
        self._command = list(command)
        self._environment = environment
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self._kill_at: float | None = None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def run(self, pump: LogPump, started: Callable[[int], None]) -> int:
        """Start it, pass its output to ``pump`` until it ends; the exit code as Docker tells it (128 +
        signal).

        Raises:
            OSError: it cannot be started at all.
        """
        launcher = [sys.executable, "-S", "-E", str(LAUNCHER), str(os.getpid())]
        with self._lock:
            self._process = subprocess.Popen(  # noqa: S603  the container's own command
                [*launcher, *self._command],
                env=self._environment, cwd=self._folder, stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        started(self._process.pid)
        try:
            return self._follow(self._process, pump)
        finally:
            self._signal(signal.SIGKILL)
            self._process.wait()
            if self._process.stdout:
                self._process.stdout.close()

    def _follow(self, process: subprocess.Popen[bytes], pump: LogPump) -> int:
        with selectors.DefaultSelector() as selector:
            assert process.stdout is not None
            selector.register(process.stdout, selectors.EVENT_READ)
            os.set_blocking(process.stdout.fileno(), False)
            rest = b""
            while True:
                ended = process.poll() is not None
                if selector.select(0 if ended else _POLL_SECONDS):
                    rest = _lines(rest + (process.stdout.read() or b""), pump)
                pump.flush_if_due()
                self._kill_if_due()
                if ended:
                    break
        if rest:
            pump.write(rest.decode(errors="replace") + "\n")
        pump.flush()
        code = process.returncode
        return code if code >= 0 else 128 - code

    def stop(self, timeout: float) -> None:
        """SIGTERM now, SIGKILL after ``timeout`` real seconds; again and again harmless."""
        with self._lock:
            if self._kill_at is not None:
                return
            self._kill_at = time.monotonic() + timeout
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        self._signal(signal.SIGKILL)

    def _kill_if_due(self) -> None:
        if self._kill_at is not None and time.monotonic() >= self._kill_at:
            self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        with self._lock:
            if self._process is None:
                return
            try:
                os.killpg(self._process.pid, number)
            except ProcessLookupError:
                return


def _lines(data: bytes, pump: LogPump) -> bytes:
    *whole, rest = data.split(b"\n")
    for line in whole:
        pump.write(line.decode(errors="replace") + "\n")
    return rest
