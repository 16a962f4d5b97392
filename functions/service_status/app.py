"""Says whether the service is steady, and if not yet, why."""

from __future__ import annotations

from typing import Any

from shoal.deployments import steps
from shoal.deployments.status import service_status
from shoal.telemetry import logger


def lambda_handler(event: dict[str, Any], context: object) -> dict[str, Any]:  # noqa: ARG001
    """``{"deployment", "revision", "generation"}`` in, ``{"ready", "reason"}`` out."""
    payload = steps.begin(event, "service_status")
    answer = service_status(payload)
    logger().info("service", ready=answer.ready, reason=answer.reason)
    return answer.model_dump()
