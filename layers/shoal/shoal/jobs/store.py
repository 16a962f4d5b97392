"""Jobs in the deployments table: one item for each video, and one for each piece of work.

A job is recorded with everything that follows from it in one transaction: the record, the work's pointer,
the marker that feeds the queue, the sums of dive and deployment. So each costs the same, however many there
are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from shoal import table
from shoal.contracts.job import JobMessage, JobRecord, dive_key, job_key, tally_key
from shoal.contracts.status import JobStatus
from shoal.errors import NotFound, Retryable, StaleWriter
from shoal.jobs import dives, feed
from shoal.table import ConditionFailed

TRANSACTION = 30
"""Jobs in one transaction: three writes each, two sums, an open dive's mark and a manifest's place, of
DynamoDB's 100 writes."""
TRANSACTION_BYTES = 3_000_000
"""Messages in one transaction, each counted twice, in its job's record and in the marker; the rest of
DynamoDB's 4 MB is for what else the items hold."""
_SURE = 5
_ENDED_BADLY = frozenset({JobStatus.FAILED, JobStatus.CANCELLED})


@dataclass(frozen=True)
class Request:
    """One video to be tracked; ``work`` is empty and ``fault`` says why where it cannot be. ``dive`` is whose
    sums it counts in, where that is not its ``job_name``."""

    message: JobMessage
    work: str = ""
    fault: str = ""
    dive: str = ""


def record(requests: Sequence[Request], force: bool = False) -> tuple[list[JobRecord], int]:
    """A record for each request, in order, and how many of them are new and wait for a worker.

    Work that is queued, runs or has its result is not recorded again, unless ``force`` says so: its record is
    answered. What failed or was cancelled is tried again as a new job. A fault is recorded as FAILED.

    Raises:
        Retryable: others record the same work all the time.
    """
    records: list[JobRecord] = []
    new = 0
    for batch in batches(requests):
        found, added = record_batch(batch, force)
        records += found
        new += added
    return records, new


def record_batch(
    batch: list[Request], force: bool, progress: Callable[[int], table.Write] | None = None
) -> tuple[list[JobRecord], int]:
    """As many requests as :func:`fit`, each of other work; ``progress`` (of how many are new) is written
    in the same transaction.

    Raises:
        StaleWriter: the condition of ``progress`` does not hold.
        Retryable: as :func:`record`.
    """
    for _ in range(_SURE):
        seen = _pointers(batch)
        known = {} if force else _alive(batch, seen)
        fresh = [one for one in batch if one.work not in known]
        made = {str(one.message.job_id): _new(one) for one in fresh}
        new = sum(not one.fault for one in fresh)
        try:
            _write(fresh, made, seen, [progress(new)] if progress else [])
        except ConditionFailed as error:
            if progress and error.index == 0:
                raise StaleWriter("somebody else goes on with it") from error
            continue  # somebody recorded the same work meanwhile: look again
        records = [known[one.work] if one.work in known else made[str(one.message.job_id)] for one in batch]
        return records, new
    raise Retryable("others submit the same videos at once: try again")


def _write(
    fresh: list[Request], made: dict[str, JobRecord], seen: dict[str, str], first_of_all: list[table.Write]
) -> None:
    writes = list(first_of_all)
    for one in fresh:
        job = made[str(one.message.job_id)]
        writes.append(_put(job, one.message))
        if one.work:
            writes.append(_point(job, seen.get(one.work, "")))
        if not one.fault:
            writes.append(feed.marker(job.deployment, job.job_id, one.message.to_body()))
    if fresh:
        first = made[str(fresh[0].message.job_id)]
        writes += _counted(first, len(fresh), sum(bool(one.fault) for one in fresh))
    if writes:
        table.write(*writes)


def _counted(first: JobRecord, submitted: int, failed: int) -> list[table.Write]:
    """The sums of the deployment and of the dive; all jobs of one submission have the same dive."""
    keys = [tally_key(first.deployment)]
    keys += [dive_key(first.deployment, first.dive)] if first.dive else []
    update = "ADD submitted :submitted, failed :failed SET created_at = if_not_exists(created_at, :now)"
    values = {":submitted": submitted, ":failed": failed, ":now": first.created_at}
    opened = [dives.opening(first.deployment, first.dive)] if first.dive else []
    return opened + [
        {"Update": {"Key": key, "UpdateExpression": update, "ExpressionAttributeValues": values}}
        for key in keys
    ]


def _new(request: Request) -> JobRecord:
    message, time = request.message, table.now()
    return JobRecord(
        job_id=str(message.job_id),
        deployment=str(message.deployment),
        video=message.video,
        job_name=message.job_name,
        user_name=message.user_name,
        dive=request.dive or message.job_name,
        work=request.work,
        status=JobStatus.FAILED if request.fault else JobStatus.QUEUED,
        reason=request.fault,
        created_at=time,
        updated_at=time,
    )


def _pointers(batch: list[Request]) -> dict[str, str]:
    """The job that each piece of work was recorded as last."""
    keys = [_work_key(str(one.message.deployment), one.work) for one in batch if one.work]
    return {str(item["sk"]).removeprefix("WORK#"): str(item["job_id"]) for item in table.read_many(keys)}


def _alive(batch: list[Request], seen: dict[str, str]) -> dict[str, JobRecord]:
    """The records of work that need not be done again."""
    keys = [job_key(str(batch[0].message.deployment), job_id) for job_id in seen.values()]
    found = [JobRecord.model_validate(item) for item in table.read_many(keys)]
    return {one.work: one for one in found if one.status not in _ENDED_BADLY}


def _point(job: JobRecord, seen: str) -> table.Write:
    """The work is this job now, if it still is what was seen."""
    item = _work_key(job.deployment, job.work) | {"job_id": job.job_id}
    if not seen:
        return {"Put": {"Item": item, "ConditionExpression": "attribute_not_exists(pk)"}}
    condition = {
        "ConditionExpression": "job_id = :seen",
        "ExpressionAttributeValues": {":seen": seen},
    }
    return {"Put": {"Item": item, **condition}}


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


def batches(requests: Sequence[Request]) -> Iterator[list[Request]]:
    """The requests in lists that one transaction holds."""
    start = 0
    while start < len(requests):
        taken = fit(one.message for one in requests[start : start + TRANSACTION])
        yield list(requests[start : start + taken])
        start += taken


def fit(messages: Iterable[JobMessage | None]) -> int:
    """How many of the first jobs, one at least, a transaction holds; None for what becomes no job."""
    total = 0
    for number, message in enumerate(islice(messages, TRANSACTION)):
        total += 2 * len(message.to_body().encode()) if message else 0
        if number and total > TRANSACTION_BYTES:
            return number
    return TRANSACTION


def _put(job: JobRecord, message: JobMessage) -> table.Write:
    """With what only the message holds, so that a lost one can be written again."""
    again: table.Item = {"args": message.args, "clean": message.clean, "metadata_b64": message.metadata_b64}
    again["counted"] = "failed" if job.status is JobStatus.FAILED else ""
    return {"Put": {"Item": job_key(job.deployment, job.job_id) | job.model_dump(mode="json") | again}}


def _work_key(deployment: str, work: str) -> table.Item:
    return {"pk": table.deployment_key(deployment), "sk": f"WORK#{work}"}
