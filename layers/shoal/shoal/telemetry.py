"""The one logger and the one namespace of metrics. Log keys: deployment, revision, step, job."""

from __future__ import annotations

import functools
import json
from typing import Literal

from aws_lambda_powertools import Logger

from shoal.settings import settings

NAMESPACE = "Shoal"
SERVICE = "shoal"

_ascii_json = functools.partial(json.dumps, ensure_ascii=True, default=str)


@functools.cache
def logger() -> Logger:
    """Structured JSON lines, ASCII only: no control byte of a user's text reaches a terminal."""
    return Logger(service=SERVICE, json_serializer=_ascii_json)


def measure(name: str, value: float, unit: Literal["Seconds", "Count"]) -> None:
    """A metric's value in this environment: a line of the log in CloudWatch's Embedded Metric Format."""
    from aws_lambda_powertools.metrics import MetricUnit, single_metric

    dimensions = {"environment": settings().shoal_environment, "service": SERVICE}
    with single_metric(name, MetricUnit[unit], value, namespace=NAMESPACE) as metric:
        for dimension, text in dimensions.items():
            metric.add_dimension(dimension, text)
