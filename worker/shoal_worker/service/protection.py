"""ECS task scale-in protection, switched only when the worker turns busy or idle.

Source: ECS Developer Guide, "Amazon ECS task scale-in protection endpoint":
``PUT $ECS_AGENT_URI/task-protection/v1/state`` with 1 to 2880 minutes.
"""

from __future__ import annotations

import http.client
import json
import math
import time
import urllib.request
from collections.abc import Callable
from urllib.error import URLError

from shoal_worker.service.logs import logger

_TIMEOUT_SECONDS = 3.0
_SPARE_MINUTES = 30
_MAXIMUM_MINUTES = 2880


class TaskProtection:
    """Protects the task from scale-in while it works; a failure is logged and never ends the worker."""

    def __init__(
        self, agent_uri: str, timeout_hours: float, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._url = f"{agent_uri.rstrip('/')}/task-protection/v1/state" if agent_uri else ""
        self._minutes = min(_MAXIMUM_MINUTES, math.ceil(timeout_hours * 60) + _SPARE_MINUTES)
        self._now = now
        self._protected_at: float | None = None

    def busy(self) -> None:
        """Before work: asks when the worker was idle, or the spare half hour of the last ask is spent."""
        if self._protected_at is None or self._now() - self._protected_at > 60 * _SPARE_MINUTES:
            self._protected_at = self._now()
            self._put({"ProtectionEnabled": True, "ExpiresInMinutes": self._minutes})

    def idle(self) -> None:
        """After a poll without a message: asks only when the worker was busy before."""
        if self._protected_at is not None:
            self._protected_at = None
            self._put({"ProtectionEnabled": False})

    def _put(self, body: dict[str, object]) -> None:
        if not self._url.startswith(("http://", "https://")):
            return
        request = urllib.request.Request(  # noqa: S310 - the scheme is checked above
            self._url,
            data=json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
            method="PUT",
        )
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as answer:  # noqa: S310 - as above
                failure = json.loads(answer.read()).get("failure")
        except (URLError, OSError, http.client.HTTPException, ValueError) as error:
            logger().warning("task protection was not changed: %s", error)
            return
        if failure:
            logger().warning("task protection was refused: %s", failure)
