"""A step of both state machines: mail what became of a deployment."""

from __future__ import annotations

from typing import Any

from shoal.contracts.status import DeploymentStatus
from shoal.notify import notify


def lambda_handler(event: dict[str, Any], context: object) -> dict[str, Any]:  # noqa: ARG001 (Lambda's signature)
    """``{"deployment", "revision", "generation", "outcome"}`` to ``{"message_id", "recipients"}``."""
    outcome = DeploymentStatus(event["outcome"])
    return notify(event["deployment"], event["revision"], event["generation"], outcome)
