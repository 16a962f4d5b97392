"""One execution environment: a process that runs AWS's own runtime client over one function's code."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import sysconfig
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from shoal_local.lambda_api import Answer, Invocation, RuntimeApi

INIT_SECONDS = 60.0
"""AWS allows 10 s; a shared laptop with a cold disk gets more."""


@dataclass(frozen=True)
class Outcome:
    """``payload`` is JSON; ``failed`` makes a FunctionError; ``reusable`` says the process lives on."""

    payload: bytes
    failed: bool
    reusable: bool


def site_packages() -> str:
    """Where the libraries live that AWS's runtime and the layer would bring."""
    return sysconfig.get_paths()["purelib"]


class ExecutionEnvironment:
    """``-S`` keeps .pth files unread: the editable install is invisible, ``shoal`` comes from the layer."""

    def __init__(
        self,
        function_arn: str,
        handler: str,
        code: Path,
        variables: dict[str, str],
        log: Callable[[str], None],
    ) -> None:
        self.api = RuntimeApi(function_arn)
        self._log = log
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and AWS's runtime client
            [sys.executable, "-S", "-m", "awslambdaric", handler],
            cwd=code,
            env={**variables, "AWS_LAMBDA_RUNTIME_API": self.api.address},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        threading.Thread(target=self._pump, name="shoal-lambda-log", daemon=True).start()

    def _pump(self) -> None:
        """Logs go out as they come; the end of the stream is the end of the process."""
        if self._process.stdout is not None:
            for line in self._process.stdout:
                self._log(line.decode(errors="replace").rstrip("\r\n"))
        status = self._process.wait()
        self.api.answers.put(Answer("exit", str(status).encode()))
        self.api.ready.set()

    def wait_until_ready(self, timeout: float = INIT_SECONDS) -> bool:
        """True once the handler is imported and the runtime waits for work."""
        return self.api.ready.wait(timeout) and self.alive

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    @property
    def pid(self) -> int:
        return self._process.pid

    def invoke(self, event: bytes, timeout: float) -> Outcome:
        """Run the handler once; ``timeout`` is the function's, in real seconds from the import's end."""
        request_id = str(uuid.uuid4())
        if not self.api.ready.wait(INIT_SECONDS):
            return self._timed_out(request_id, INIT_SECONDS)
        self._log(f"START RequestId: {request_id} Version: $LATEST")
        started = time.time()
        self.api.work.put(Invocation(request_id, event, started + timeout))
        try:
            answer = self.api.answers.get(timeout=timeout)
        except queue.Empty:
            return self._timed_out(request_id, timeout)
        self._log(f"END RequestId: {request_id}")
        self._log(f"REPORT RequestId: {request_id}\tDuration: {(time.time() - started) * 1000:.2f} ms")
        return self._outcome(answer, request_id)

    def _outcome(self, answer: Answer, request_id: str) -> Outcome:
        if answer.kind == "exit":
            ended = f"Runtime exited with error: exit status {answer.payload.decode()}"
            message = f"RequestId: {request_id} Error: {ended}"
            return Outcome(_error("Runtime.ExitError", message), True, False)
        return Outcome(answer.payload or b"null", answer.kind != "response", answer.kind != "init")

    def _timed_out(self, request_id: str, timeout: float) -> Outcome:
        self.close()
        message = f"RequestId: {request_id} Error: Task timed out after {timeout:.2f} seconds"
        self._log(f"{message}")
        return Outcome(_error("Sandbox.Timedout", message), True, False)

    def close(self) -> None:
        """Kill the process and whatever it started."""
        if self.alive:
            # it may end by itself between the two lines
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        threading.Thread(target=self.api.close, daemon=True).start()


def _error(kind: str, message: str) -> bytes:
    return json.dumps({"errorType": kind, "errorMessage": message}).encode()
