"""Jobs whose message is gone: the ledger finds them, sends them again, or says why they failed.

A message goes without an end where SQS forgot it (14 days), its queue was deleted, or its worker died at
every receive until it lay in the dead letter queue: no worker is left to write why, so it is written here.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from shoal import table
from shoal.contracts.job import JobRecord, tally_key
from shoal.contracts.status import JobStatus
from shoal.jobs import deaths, feed
from shoal.jobs.writing import change, message_of, sums

QUIET = timedelta(minutes=6)
"""Longer than a message stays hidden, or than SQS's counts lag: who has a job was heard of since."""
MAXIMUM_ATTEMPTS = 5
"""As the queue's receives; those that ended with a stop of the worker, as on Spot, do not count."""

_AT_ONCE = 500
_WAITING = frozenset({JobStatus.QUEUED, JobStatus.RUNNING})


def recover(deployment: str) -> tuple[int, int]:
    """Look at every job of a deployment whose queue is empty: how many were sent again, how many failed.

    To be called only where nothing is visible, in flight or marked: then no job that waits can be on its way.
    """
    before = (datetime.now(UTC) - QUIET).isoformat()
    again = failed = 0
    death = deaths.last(deployment)
    for item in table.query_where(table.deployment_key(deployment), "JOB#", {"status": _WAITING}, 100_000):
        job = JobRecord.model_validate(item)
        if job.updated_at > before or again + failed >= _AT_ONCE:
            continue
        if item.get("lease_until", 0) > time.time():
            continue
        if job.attempts - int(item.get("released", 0)) >= MAXIMUM_ATTEMPTS:
            failed += _end(job, death)
        else:
            again += _send_again(job, item)
    return again, failed


def unfinished(deployment: str) -> int:
    """Jobs that were submitted and have not ended, by the deployment's sums."""
    tally = table.read(tally_key(deployment)) or {}
    ended = sum(int(tally.get(name, 0)) for name in ("succeeded", "failed", "cancelled"))
    return int(tally.get("submitted", 0)) - ended


def diagnosis(job: JobRecord, death: str = "") -> str:
    """What a worker that died each time could not write itself; ``death``: what ECS said of the last."""
    last = f"; before: {job.reason}" if job.reason else ""
    said = f" ECS says of the last one: {death}." if death else ""
    return (
        f"its worker ended {job.attempts} times without a word: out of memory, or a video that breaks the "
        f"decoder.{said} Look at the worker's log, raise memory_mib or encode the video again, then "
        f"redrive{last}"
    )


def _send_again(job: JobRecord, item: table.Item) -> bool:
    fields = {"status": JobStatus.QUEUED, "reason": "its message was lost: sent again"}
    return change(job, fields, feed.marker(job.deployment, job.job_id, message_of(job, item).to_body()))


def _end(job: JobRecord, death: str) -> bool:
    fields = {"status": JobStatus.FAILED, "reason": diagnosis(job, death)[:1000], "counted": "failed"}
    return change(job, fields, *sums(job, failed=1))
