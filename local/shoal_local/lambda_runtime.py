"""moto's Lambda, invoking real code: every caller inside moto ends in ``LambdaFunction._invoke_lambda``."""

from __future__ import annotations

import json
import logging
import threading
from typing import Any

from shoal_local.clock import Clock
from shoal_local.lambda_pool import LambdaPool
from shoal_local.names import backend
from shoal_local.patches import contract

_LOG = logging.getLogger("shoal_local.lambda")
_INVOKE_FUNCTION = contract("moto.awslambda.models", "LambdaFunction._invoke_lambda", "self event")
_INVOKE_BACKEND = contract(
    "moto.awslambda.models",
    "LambdaBackend.invoke",
    "self function_name qualifier body headers response_headers",
)
contract("moto.awslambda.models", "LambdaFunction.invoke", "self body request_headers response_headers")

RETRY_SECONDS = (60.0, 120.0)
"""Lambda retries a failed asynchronous invocation twice, after one and after two minutes."""


def install(pool: LambdaPool, clock: Clock) -> None:
    """Make moto run functions in ``pool``."""

    def invoke_function(self: Any, event: Any = None) -> tuple[str, bool, str]:
        # moto hands over the string "{}" where there is no body
        body = json.dumps({} if event in (None, "{}") else event).encode()
        outcome, tail = pool.invoke(self, body)
        return outcome.payload.decode(), outcome.failed, tail[-4096:]

    def invoke_backend(
        self: Any, function_name: str, qualifier: Any, body: Any, headers: Any, response_headers: Any
    ) -> str | bytes:
        function = self.get_function(function_name, qualifier)
        kind = headers.get("X-Amz-Invocation-Type", "RequestResponse")
        if kind == "DryRun":
            return b""
        if kind == "Event":
            invoke_later(
                pool, clock, function, body if isinstance(body, bytes) else str(body or "{}").encode()
            )
            return b""
        payload: str | bytes = function.invoke(body, headers, response_headers)
        if "x-amz-function-error" in response_headers:
            response_headers["x-amz-function-error"] = "Unhandled"
        response_headers["Content-Length"] = str(len(payload))
        return payload

    _INVOKE_FUNCTION.replace(invoke_function)
    _INVOKE_BACKEND.replace(invoke_backend)


def invoke_later(pool: LambdaPool, clock: Clock, function: Any, event: bytes) -> threading.Thread:
    """An asynchronous invocation, tried three times in all; answers at once with its thread."""

    def run() -> None:
        for delay in (0.0, *RETRY_SECONDS):
            if pool.stopping.wait(clock.seconds(delay)):
                return
            try:
                outcome, _ = pool.invoke(function, event)
            except LookupError as error:
                _LOG.info("%s went while it was called: %s", function.function_name, error)
                return
            if not outcome.failed:
                return
        _LOG.warning(
            "%s failed three times and its event was dropped: %s", function.function_name, outcome.payload
        )

    thread = threading.Thread(target=run, name=f"shoal-async-{function.function_name}", daemon=True)
    thread.start()
    return thread


def function_by_arn(arn: str) -> Any:
    """moto's function behind an ARN, whatever its qualifier."""
    return backend("lambda").get_function(arn.split(":function:")[-1].split(":")[0])


def prewarm_all(pool: LambdaPool) -> None:
    pool.prewarm(backend("lambda").list_functions())
