"""Makes the ECS service that keeps the workers running, its alarms and its dashboard."""

from __future__ import annotations

from typing import Any

from shoal.deployments import steps
from shoal.telemetry import logger


def lambda_handler(event: dict[str, Any], context: object) -> dict[str, Any]:  # noqa: ARG001
    """``{"deployment", "revision", "generation"}`` in, ``{"step", "resources": {kind: arn}}`` out."""
    payload = steps.begin(event, "ecs_service")
    answer = steps.make("ecs_service", payload)
    logger().info("step done", resources=answer.resources)
    return answer.model_dump()
