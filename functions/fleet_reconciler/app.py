"""Each minute: every READY deployment's desired count follows its queue."""

from __future__ import annotations

from shoal import fleet


def lambda_handler(event: object, context: object) -> dict[str, int]:  # noqa: ARG001 (Lambda's signature)
    """Answers how many deployments were looked at and how many could not be reconciled."""
    return fleet.reconcile()
