"""awslogs: what a container prints goes to CloudWatch Logs, written as the execution role writes."""

from __future__ import annotations

import logging
import time
from typing import Any, TextIO

_LOG = logging.getLogger("shoal_local.fleet")
_BATCH_LINES = 500
_FLUSH_SECONDS = 1.0
_LINE_BYTES = 200_000
"""CloudWatch takes 256 KiB an event; awslogs splits longer lines."""


class LogPump:
    """Collects lines and sends them to one log stream, at most a second late. For one thread.

    Args:
        client: a CloudWatch Logs client with the execution role's rights, or None for the file alone.
    """

    def __init__(self, client: Any, group: str, stream: str, file: TextIO) -> None:
        self._client = client
        self._where = {"logGroupName": group, "logStreamName": stream}
        self._file = file
        self._events: list[dict[str, Any]] = []
        self._sent = time.monotonic()

    def open(self, create_group: bool) -> None:
        """Make the stream (and the group, with ``awslogs-create-group``).

        Raises:
            ClientError: the role may not, or there is no such group: the task cannot start.
        """
        if self._client is None:
            return
        if create_group:
            try:
                self._client.create_log_group(logGroupName=self._where["logGroupName"])
            except self._client.exceptions.ResourceAlreadyExistsException:
                _LOG.debug("log group %s is there already", self._where["logGroupName"])
        self._client.create_log_stream(**self._where)

    def write(self, line: str) -> None:
        self._file.write(line)
        self._file.flush()
        text = line.rstrip("\r\n")[:_LINE_BYTES]
        if self._client is not None and text:
            self._events.append({"timestamp": int(time.time() * 1000), "message": text})
        if len(self._events) >= _BATCH_LINES:
            self.flush()

    def flush_if_due(self) -> None:
        if time.monotonic() - self._sent >= _FLUSH_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Send what is collected; lines that CloudWatch refuses stay in the file, as with a non-blocking
        driver."""
        from botocore.exceptions import BotoCoreError, ClientError

        self._sent = time.monotonic()
        if not self._events:
            return
        events, self._events = self._events, []
        try:
            self._client.put_log_events(**self._where, logEvents=events)
        except (BotoCoreError, ClientError) as error:
            _LOG.warning("the log of a task did not reach CloudWatch, its file has it: %s", error)
