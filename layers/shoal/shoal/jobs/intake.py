"""From a request for videos to recorded jobs: what is there, what is done already, what cannot be."""

from __future__ import annotations

from shoal.contracts.job import JobMessage, JobRecord
from shoal.deployments import Deployment
from shoal.jobs import identity, objects, store
from shoal.jobs.objects import Head
from shoal.jobs.store import Request
from shoal.jobs.submission import Submission, messages_of

__all__ = ["take"]


def take(deployment: Deployment, submission: Submission, bucket: str) -> tuple[list[JobRecord], int]:
    """A record for each video, in order, and how many are new and wait to be sent (:mod:`shoal.jobs.feed`).

    Raises:
        InvalidRequest: naming each video that is none, lies elsewhere, or comes twice; nothing is recorded.
        Denied: the role may not read the videos or the model.
        Retryable: S3 or DynamoDB did not answer; what was recorded is found again.
    """
    messages = messages_of(submission, deployment.name, bucket)
    found = objects.heads(bucket, [one.video for one in messages])
    basis = identity.basis_of(deployment.spec)
    requests = [
        request_of(message, head, basis, bucket) for message, head in zip(messages, found, strict=True)
    ]
    return store.record(requests, submission.force)


def request_of(message: JobMessage, head: Head | None, basis: tuple[str, ...], bucket: str) -> Request:
    """What is asked of one video, given what S3 shows of it."""
    where = f"s3://{bucket}/{message.video}"
    if head is None:
        return Request(message, fault=f"{where} does not exist: upload it, then submit it")
    if head.size == 0:
        return Request(message, fault=f"{where} is empty: upload it again")
    return Request(message, identity.work_of(basis, message.video, head.etag, message.args))
