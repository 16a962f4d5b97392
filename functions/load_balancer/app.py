"""Claims a port or a host name and makes the target group and the listener or the rule of an endpoint."""

from __future__ import annotations

from typing import Any

from shoal.deployments import steps
from shoal.telemetry import logger


def lambda_handler(event: dict[str, Any], context: object) -> dict[str, Any]:  # noqa: ARG001
    """``{"deployment", "revision", "generation"}`` in, ``{"step", "resources": {kind: arn}}`` out."""
    payload = steps.begin(event, "load_balancer")
    answer = steps.make("load_balancer", payload)
    logger().info("step done", resources=answer.resources)
    return answer.model_dump()
