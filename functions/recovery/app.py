"""Takes deployments from executions that died: told by EventBridge, and by looking every five minutes."""

from __future__ import annotations

from typing import Any

from shoal.deployments import recovery

_ENDED = "Step Functions Execution Status Change"


def lambda_handler(event: dict[str, Any], context: object) -> dict[str, Any]:  # noqa: ARG001 (Lambda's signature)
    """An execution's end: ``{"outcome"}``; the schedule: how many were seen, recovered, and could not be."""
    if event.get("detail-type") == _ENDED:
        return {"outcome": str(recovery.execution_ended(event["detail"]))}
    return dict(recovery.check_all())
