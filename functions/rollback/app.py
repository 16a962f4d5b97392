"""One pass of undoing what a failed deployment, update or start did."""

from __future__ import annotations

from typing import Any

from shoal.deployments import steps
from shoal.deployments.rollback_pass import run_pass
from shoal.telemetry import logger


def lambda_handler(event: dict[str, Any], context: object) -> dict[str, Any]:  # noqa: ARG001
    """``{"deployment", "revision", "generation"}`` in, ``{"empty", "waiting", "failed"}`` out: one pass."""
    payload = steps.begin(event, "rollback")
    answer = run_pass(payload, "rollback")
    logger().info("pass", empty=answer.empty, waiting=answer.waiting, failed=answer.failed)
    return answer.model_dump()
