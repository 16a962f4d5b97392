"""Structured logs: one JSON object a line, ASCII only, on standard output."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TextIO

_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {
    "message",
    "asctime",
    "taskName",
    "color_message",
}

LOGGER_NAME = "shoal_worker"


def logger() -> logging.Logger:
    """The worker's logger; pass ``extra={"job": ...}`` for keys of the line."""
    return logging.getLogger(LOGGER_NAME)


class JsonFormatter(logging.Formatter):
    """One line of JSON; ASCII, so that no control byte of a user's text reaches a terminal."""

    def __init__(self, constant: Mapping[str, str]) -> None:
        super().__init__()
        self._constant = dict(constant)

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "message": record.getMessage(),
            "logger": record.name,
        }
        line |= self._constant
        line |= {key: value for key, value in record.__dict__.items() if key not in _STANDARD}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=True, default=str)


def configure_logs(constant: Mapping[str, str], stream: TextIO | None = None) -> None:
    """Send every logger of the process to ``stream`` (standard output) as JSON lines."""
    handler = logging.StreamHandler(stream or sys.stdout)
    handler.setFormatter(JsonFormatter(constant))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    for noisy in ("botocore", "boto3", "urllib3", "s3transfer", "libav"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
