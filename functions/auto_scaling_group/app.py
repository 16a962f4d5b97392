"""Makes the launch template, the Auto Scaling group and the capacity provider of the cluster."""

from __future__ import annotations

from typing import Any

from shoal.deployments import steps
from shoal.telemetry import logger


def lambda_handler(event: dict[str, Any], context: object) -> dict[str, Any]:  # noqa: ARG001
    """``{"deployment", "revision", "generation"}`` in, ``{"step", "resources": {kind: arn}}`` out."""
    payload = steps.begin(event, "auto_scaling_group")
    answer = steps.make("auto_scaling_group", payload)
    logger().info("step done", resources=answer.resources)
    return answer.model_dump()
