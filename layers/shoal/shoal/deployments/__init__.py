"""Deployments: claimed, made step by step along a ledger, and taken away again."""

from shoal.deployments.ledger import entries as resources
from shoal.deployments.model import Claim, Deployment, Event
from shoal.deployments.store import (
    at,
    begin_deletion,
    claim,
    events,
    events_after,
    find,
    get,
    list_deployments,
    record_execution,
    transition,
)

__all__ = [
    "Claim",
    "Deployment",
    "Event",
    "at",
    "begin_deletion",
    "claim",
    "events",
    "events_after",
    "find",
    "get",
    "list_deployments",
    "record_execution",
    "resources",
    "transition",
]
