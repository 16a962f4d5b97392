"""Warm and cold execution environments of every function."""

from __future__ import annotations

import hashlib
import io
import json
import logging
import os
import threading
import uuid
import zipfile
from collections import defaultdict
from pathlib import Path
from typing import Any

from shoal_local.clock import Clock
from shoal_local.iam import Iam
from shoal_local.lambda_environment import ExecutionEnvironment, Outcome, site_packages
from shoal_local.lambda_logs import LogStream
from shoal_local.names import backend

_LOG = logging.getLogger("shoal_local.lambda")
_INHERITED = ("PATH", "LANG", "TMPDIR", "HOME")


class _Warm:
    """An environment with its log."""

    def __init__(self, environment: ExecutionEnvironment, log: LogStream) -> None:
        self.environment = environment
        self.log = log


class LambdaPool:
    """Thread safe. ``function`` is always moto's LambdaFunction."""

    def __init__(self, iam: Iam, endpoint_url: str, folder: Path, clock: Clock) -> None:
        self._iam = iam
        self._clock = clock
        self._endpoint_url = endpoint_url
        self._folder = folder / "code"
        self._lock = threading.Lock()
        self._idle: dict[str, list[_Warm]] = defaultdict(list)
        self._all: set[_Warm] = set()
        self._starting = threading.BoundedSemaphore(os.cpu_count() or 1)
        self.stopping = threading.Event()

    def invoke(self, function: Any, event: bytes) -> tuple[Outcome, str]:
        """Run it in a warm environment, or in a new one; the outcome and the tail of the log."""
        key = _key(function)
        with self._lock:
            warm = self._idle[key].pop() if self._idle[key] else None
        warm = warm or self._start(function)
        outcome = warm.environment.invoke(event, float(function.timeout))
        tail = warm.log.tail()
        self._give_back(key, warm, outcome.reusable)
        return outcome, tail

    def prewarm(self, functions: list[Any]) -> None:
        """Start one environment for each in the background: the first call finds it warm."""
        threading.Thread(target=self._prewarm, args=(functions,), name="shoal-prewarm", daemon=True).start()

    def _prewarm(self, functions: list[Any]) -> None:
        for function in functions:
            key = _key(function)
            with self._lock:
                skip = self.stopping.is_set() or bool(self._idle[key])
            if skip:
                continue
            try:
                warm = self._spawn(function)
            except (LookupError, OSError) as error:
                # the stack may have gone meanwhile; whoever calls the function is told
                _LOG.info("%s could not be started early: %s", function.function_name, error)
                continue
            ready = warm.environment.wait_until_ready()
            self._give_back(key, warm, ready)

    def _give_back(self, key: str, warm: _Warm, reusable: bool) -> None:
        with self._lock:
            keep = reusable and warm.environment.alive and not self.stopping.is_set()
            if keep:
                self._idle[key].append(warm)
            else:
                self._all.discard(warm)
        if not keep:
            warm.environment.close()

    def _start(self, function: Any) -> _Warm:
        """A new environment; as many import at once as there are processors, or all would be late."""
        with self._starting:
            warm = self._spawn(function)
            warm.environment.wait_until_ready()
        return warm

    def _spawn(self, function: Any) -> _Warm:
        log = LogStream(self._iam, function.role, function.logs_group_name)
        code = self._unpacked(function.code_bytes)
        variables = self._variables(function, code, log.name)
        environment = ExecutionEnvironment(
            function.function_arn, function.handler, code, variables, log.write
        )
        warm = _Warm(environment, log)
        with self._lock:
            self._all.add(warm)
        if self.stopping.is_set():
            environment.close()
        return warm

    def _variables(self, function: Any, code: Path, stream: str) -> dict[str, str]:
        """What AWS sets ("Defined runtime environment variables"), our clock, then the function's own."""
        layers = [f"{self._unpacked(_layer_code(layer))}/python" for layer in function.layers]
        platform = {
            "_HANDLER": function.handler,
            "LAMBDA_TASK_ROOT": str(code),
            "AWS_EXECUTION_ENV": f"AWS_Lambda_{function.run_time}",
            "AWS_LAMBDA_FUNCTION_NAME": function.function_name,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_size),
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_LAMBDA_LOG_GROUP_NAME": function.logs_group_name,
            "AWS_LAMBDA_LOG_STREAM_NAME": stream,
            "AWS_REGION": function.region,
            "AWS_DEFAULT_REGION": function.region,
            "AWS_ENDPOINT_URL": self._endpoint_url,
            "CLOCK_SPEED": f"{self._clock.speed:g}",
            "TZ": ":UTC",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONPATH": os.pathsep.join([*layers, site_packages()]),
        }
        inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        own = {name: str(value) for name, value in function.environment_vars.items()}
        session = self._iam.credentials_for_role(function.role, function.function_name)
        return inherited | platform | own | session

    def _unpacked(self, archive: bytes) -> Path:
        """The folder an archive is unpacked in, once per content."""
        folder = self._folder / hashlib.sha256(archive).hexdigest()[:24]
        if folder.exists():
            return folder
        fresh = folder.with_name(f"{folder.name}.{uuid.uuid4().hex}")
        zipfile.ZipFile(io.BytesIO(archive)).extractall(fresh)
        with self._lock:
            if not folder.exists():
                fresh.rename(folder)
        return folder

    def close(self) -> None:
        """Kill every environment."""
        self.stopping.set()
        with self._lock:
            warm, self._all = list(self._all), set()
            self._idle.clear()
        for each in warm:
            each.log.close()
            each.environment.close()


def _layer_code(layer: Any) -> bytes:
    """The content of a layer version.

    Raises:
        LookupError: it is gone.
    """
    version = backend("lambda").layers_versions_by_arn(layer["Arn"])
    if version is None:
        raise LookupError(f"there is no layer {layer['Arn']}")
    code: bytes = version.code_bytes
    return code


def _key(function: Any) -> str:
    """Environments are reused only for the same code and configuration."""
    parts = [
        function.function_arn, function.code_sha_256, function.handler, function.role, function.timeout,
        function.memory_size, function.environment_vars, function.layers,
    ]  # fmt: skip
    return json.dumps(parts, sort_keys=True, default=str)
