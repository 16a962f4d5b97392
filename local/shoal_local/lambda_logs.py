"""A function's log, written to moto's CloudWatch Logs with the rights of the function's own role."""

from __future__ import annotations

import threading
import time
import uuid

from shoal_local.iam import Iam
from shoal_local.names import arn, backend


class LogStream:
    """The stream of one execution environment. Without the permission the lines are dropped, as in AWS."""

    def __init__(self, iam: Iam, role_arn: str, group: str) -> None:
        self._iam = iam
        self._role = role_arn
        self._group = group
        self._name = f"{time.strftime('%Y/%m/%d', time.gmtime())}/[$LATEST]{uuid.uuid4().hex}"
        self._lock = threading.Lock()
        self._open: bool | None = None
        self._tail: list[str] = []
        self._closed = False

    @property
    def name(self) -> str:
        return self._name

    def write(self, line: str) -> None:
        with self._lock:
            if self._closed:
                return
            self._tail = [*self._tail[-99:], line]
            if self._open is None:
                self._open = self._start()
            if self._open and line:
                event = {"timestamp": int(time.time() * 1000), "message": line}
                backend("logs").put_log_events(self._group, self._name, [event])

    def close(self) -> None:
        """Drop what comes later: the account may be gone by then."""
        with self._lock:
            self._closed = True

    def tail(self) -> str:
        """The last lines, as ``LogType=Tail`` answers them."""
        with self._lock:
            return "\n".join(self._tail)

    def _start(self) -> bool:
        logs = backend("logs")
        if self._group not in logs.groups:
            if not self._may("logs:CreateLogGroup", f"log-group:{self._group}:*"):
                return False
            logs.create_log_group(self._group, {})
        stream = f"log-group:{self._group}:log-stream:{self._name}"
        if not (self._may("logs:CreateLogStream", stream) and self._may("logs:PutLogEvents", stream)):
            return False
        logs.create_log_stream(self._group, self._name)
        return True

    def _may(self, action: str, resource: str) -> bool:
        return self._iam.authorize_role(self._role, action, arn("logs", resource))
