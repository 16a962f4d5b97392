"""Each minute, and when a task has stopped: every READY deployment's counts follow its queue."""

from __future__ import annotations

from shoal import fleet


def lambda_handler(event: object, context: object) -> dict[str, int]:  # noqa: ARG001 (Lambda's signature)
    """Answers how many deployments were looked at, how many could not be reconciled, what was terminated."""
    return fleet.reconcile(event)
