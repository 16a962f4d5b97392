"""One process: the model is loaded once, the HTTP face and the queue consumer share it, signals end it."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

from shoal_worker.service.consumer import Consumer
from shoal_worker.service.endpoint import Predictor, ServiceState
from shoal_worker.service.errors import ConfigurationError, Transient
from shoal_worker.service.logs import logger
from shoal_worker.service.server import HttpServer

EXIT_CONFIGURATION = 78
EXIT_DIED = 70
STOP_SECONDS = 4.0
"""From the signal to the exit; ECS allows stopTimeout, a Spot notice two minutes."""
RELEASE_SECONDS = 1.0
"""The last part of them, for giving back a video whose native call does not return."""

_LOAD_WAITS = (1.0, 5.0, 15.0, 30.0)
_LOOK_SECONDS = 0.25


class Supervisor:
    """Runs the parts until a signal or the end of one of them; :meth:`run` gives the exit status."""

    def __init__(
        self,
        load: Callable[[], tuple[Predictor, Consumer | None]],
        state: ServiceState,
        server: HttpServer | None,
        stop: threading.Event,
        alive: Path,
    ) -> None:
        self._load, self._state, self._server, self._stop, self._alive = load, state, server, stop, alive
        self._consumer: Consumer | None = None
        self._failure = 0

    def run(self) -> int:
        """Blocks; 0 after SIGTERM or SIGINT, another status when the worker could not go on."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._stop.set())
        work = threading.Thread(target=self._work, name="work", daemon=True)
        work.start()
        if self._server:
            self._server.start()
        while not self._stop.wait(_LOOK_SECONDS):
            self._look(work)
        return self._end(work)

    def _work(self) -> None:
        try:
            predictor, self._consumer = self._load_with_patience()
        except ConfigurationError as error:
            self._fail(EXIT_CONFIGURATION, error.reason)
            return
        except Exception:  # noqa: BLE001 - a thread's end must end the process, not hide
            logger().exception("a defect while the model was loaded")
            self._fail(EXIT_DIED, "the model could not be loaded")
            return
        self._state.ready(predictor)
        logger().info("ready", extra=predictor.describe())
        if self._consumer:
            self._consumer.run()
        else:
            self._stop.wait()

    def _load_with_patience(self) -> tuple[Predictor, Consumer | None]:
        for wait in _LOAD_WAITS:
            try:
                return self._load()
            except Transient as error:
                self._state.reason = f"the model is not loaded yet: {error.reason}"
                logger().warning("loading again in %g s: %s", wait, error.reason)
                self._stop.wait(wait)
        try:
            return self._load()
        except Transient as error:
            raise ConfigurationError(f"the model could not be loaded: {error.reason}") from error

    def _look(self, work: threading.Thread) -> None:
        if not work.is_alive() and not self._failure:
            self._fail(EXIT_DIED, "the work thread ended")
        if self._server and not self._server.is_alive():
            self._fail(EXIT_DIED, "the HTTP server ended")
        self._alive.touch()

    def _fail(self, status: int, reason: str) -> None:
        self._failure = status
        logger().error("the worker ends: %s", reason, extra={"status": status})
        self._stop.set()

    def _end(self, work: threading.Thread) -> int:
        """Give the message back and leave within :data:`STOP_SECONDS`."""
        began = time.monotonic()
        logger().info("stopping")
        work.join(STOP_SECONDS - RELEASE_SECONDS)
        if work.is_alive() and self._consumer:
            # In a thread of its own: AWS may not answer, and the exit waits for nobody.
            release = threading.Thread(target=self._consumer.release_current, name="release", daemon=True)
            release.start()
            release.join(max(0.1, STOP_SECONDS - (time.monotonic() - began)))
        if self._server:
            self._server.stop(max(0.1, STOP_SECONDS - (time.monotonic() - began)))
        logger().info("stopped after %.2f s", time.monotonic() - began, extra={"status": self._failure})
        if work.is_alive():
            # A native call does not return: leaving the interpreter by the front door would wait for it.
            os._exit(self._failure)
        return self._failure
