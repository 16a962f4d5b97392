"""An upload to ``videos/<deployment>/...`` alone is a request (EventBridge, S3's "Object Created")."""

from __future__ import annotations

from typing import Any

from shoal import deployments
from shoal.contracts.status import DeploymentStatus
from shoal.deployments import Deployment
from shoal.errors import InvalidRequest
from shoal.jobs import identity, intake, objects, store
from shoal.jobs.submission import FOLDER, Submission, messages_of
from shoal.settings import settings
from shoal.telemetry import logger

SUBMITTED_BY = "shoal-submitted-by"
"""Metadata of an object whose sender submits it himself; ``shoal process`` sets it."""
USER = "upload"

_OVER = frozenset({DeploymentStatus.DELETING, DeploymentStatus.DELETED, DeploymentStatus.DELETE_INCOMPLETE})


def take(event: Any) -> tuple[Deployment | None, str]:
    """Record the uploaded video; answers its deployment when there is a new job, and what became of it.

    Raises:
        Denied, Retryable: AWS did not answer; Lambda gives the event again.
    """
    deployment, outcome = _take(event)
    logger().info("upload: %s", outcome, extra={"deployment": deployment.name if deployment else ""})
    return deployment, outcome


def _take(event: Any) -> tuple[Deployment | None, str]:
    if isinstance(event, dict) and event.get("Event") == "s3:TestEvent":
        return None, "ignored: s3:TestEvent, S3's greeting"
    detail = event.get("detail") if isinstance(event, dict) else None
    bucket, key = (_name(detail, part) for part in (("bucket", "name"), ("object", "key")))
    if bucket != settings().need("data_bucket") or not key.startswith(FOLDER):
        return None, f"ignored: {key[:200]} is not below {FOLDER} of the data bucket"
    found = deployments.find(key.split("/")[1])
    reason = _refusal(found, key)
    if found is None or reason:
        return None, f"ignored: {reason}"
    return _record(found, bucket, key)


def _record(deployment: Deployment, bucket: str, key: str) -> tuple[Deployment | None, str]:
    try:
        (message,) = messages_of(Submission(videos=[key], user_name=USER), deployment.name, bucket)
    except InvalidRequest as invalid:
        return None, f"ignored: {invalid.errors[0]['detail']}"
    head = objects.head(bucket, key)
    if head is not None and SUBMITTED_BY in head.metadata:
        return None, f"ignored: {head.metadata[SUBMITTED_BY][:60]} submits it"
    request = intake.request_of(message, head, identity.basis_of(deployment.spec), bucket)
    if request.fault:
        return None, f"ignored: {request.fault}"
    (job,), new = store.record([request])
    return (deployment, f"job {job.job_id}") if new else (None, f"known as job {job.job_id}")


def _refusal(deployment: Deployment | None, key: str) -> str:
    name = key.split("/")[1][:60]
    if deployment is None or deployment.status in _OVER:
        return f"there is no deployment {name}"
    return "" if deployment.spec.has_queue else f"{name} serves an endpoint only"


def _name(detail: Any, path: tuple[str, str]) -> str:
    part = detail.get(path[0]) if isinstance(detail, dict) else None
    value = part.get(path[1]) if isinstance(part, dict) else None
    return value if isinstance(value, str) else ""
