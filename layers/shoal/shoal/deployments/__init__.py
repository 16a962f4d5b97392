"""Deployments: claimed, made step by step along a ledger, and taken away again."""

from shoal.deployments.changes import rollback, start, stop
from shoal.deployments.ledger import entries as resources
from shoal.deployments.model import Change, Claim, Deployment, Event, Revision
from shoal.deployments.revisions import changes as changes_of
from shoal.deployments.revisions import listed as revisions_of
from shoal.deployments.store import (
    at,
    begin_deletion,
    claim,
    events,
    events_after,
    every_deployment,
    find,
    get,
    list_deployments,
    record_execution,
    transition,
)

__all__ = [
    "Change",
    "Claim",
    "Deployment",
    "Event",
    "Revision",
    "at",
    "begin_deletion",
    "changes_of",
    "claim",
    "events",
    "events_after",
    "every_deployment",
    "find",
    "get",
    "list_deployments",
    "record_execution",
    "resources",
    "revisions_of",
    "rollback",
    "start",
    "stop",
    "transition",
]
