"""The one logger. Log keys are the same everywhere: deployment, revision, step, job."""

from __future__ import annotations

import functools
import json

from aws_lambda_powertools import Logger

_ascii_json = functools.partial(json.dumps, ensure_ascii=True, default=str)


@functools.cache
def logger() -> Logger:
    """Structured JSON lines, ASCII only: no control byte of a user's text reaches a terminal."""
    return Logger(service="shoal", json_serializer=_ascii_json)
