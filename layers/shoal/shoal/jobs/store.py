"""Jobs in the deployments table: one item for each video, written before its message is sent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from shoal import table
from shoal.contracts.job import JobMessage, JobRecord, job_key
from shoal.contracts.status import JobStatus
from shoal.errors import NotFound

_TRANSACTION = 100
"""The most writes of one DynamoDB transaction."""


def record(messages: Sequence[JobMessage]) -> list[JobRecord]:
    """Write a QUEUED record for each message."""
    time = table.now()
    records = [
        JobRecord(
            job_id=str(message.job_id),
            deployment=str(message.deployment),
            video=message.video,
            job_name=message.job_name,
            user_name=message.user_name,
            created_at=time,
            updated_at=time,
        )
        for message in messages
    ]
    for batch in batches(records, _TRANSACTION):
        table.write(*[_put(one) for one in batch])
    return records


def fail(job: JobRecord, reason: str) -> JobRecord:
    """The record of a job whose message could not be sent."""
    failed = job.model_copy(update={"status": JobStatus.FAILED, "reason": reason, "updated_at": table.now()})
    table.write(_put(failed))
    return failed


def get(deployment: str, job_id: str) -> JobRecord:
    """One job.

    Raises:
        NotFound: no such job.
    """
    item = table.read(job_key(deployment, job_id))
    if item is None:
        raise NotFound(f"{deployment} has no such job: GET /deploy/{deployment}/jobs lists them")
    return JobRecord.model_validate(item)


def list_jobs(deployment: str, limit: int, after: str = "") -> tuple[list[JobRecord], str | None]:
    """A page of jobs, oldest first, and the id to give as ``after`` for the next."""
    items = table.query_after(table.deployment_key(deployment), "JOB#", after, limit + 1)
    records = [JobRecord.model_validate(item) for item in items[:limit]]
    return records, records[-1].job_id if len(items) > limit else None


def batches(items: Sequence[JobRecord], size: int) -> Iterator[list[JobRecord]]:
    """The items in lists of at most ``size``."""
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch


def _put(job: JobRecord) -> table.Write:
    item = job_key(job.deployment, job.job_id) | job.model_dump(mode="json")
    return {"Put": {"Item": item}}
