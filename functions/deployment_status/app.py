"""Records what became of a deployment."""

from __future__ import annotations

from typing import Any

from shoal.deployments import steps
from shoal.deployments.recording import StatusInput, record
from shoal.telemetry import logger


def lambda_handler(event: dict[str, Any], context: object) -> dict[str, Any]:  # noqa: ARG001
    """``{"deployment", "revision", "generation", "become", "error" or "reason"}`` in, ``{"status"}`` out."""
    steps.begin(event, "deployment_status")
    status = record(StatusInput.model_validate(event))
    logger().info("recorded", status=status)
    return {"status": str(status)}
