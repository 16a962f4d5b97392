"""One change of a job with everything that follows from it, if the job is still as it was read."""

from __future__ import annotations

from collections.abc import Mapping

from shoal import table
from shoal.contracts.job import JobMessage, JobRecord, dive_key, job_key, tally_key
from shoal.table import ConditionFailed


def change(job: JobRecord, fields: Mapping[str, object], *more: table.Write) -> bool:
    """Set the fields and do the other writes, all or nothing; False where the job has changed meanwhile."""
    values: table.Item = {f":{name}": value for name, value in fields.items()}
    values |= {":attempts": job.attempts, ":was": job.status, ":now": table.now()}
    update = {
        "Key": job_key(job.deployment, job.job_id),
        "UpdateExpression": "SET updated_at = :now, " + ", ".join(f"#{name} = :{name}" for name in fields),
        "ConditionExpression": "attempts = :attempts AND #status = :was",
        "ExpressionAttributeNames": {f"#{name}": name for name in sorted({*fields, "status"})},
        "ExpressionAttributeValues": values,
    }
    try:
        table.write({"Update": update}, *more)
    except ConditionFailed:
        return False
    return True


def sums(job: JobRecord, **added: int) -> list[table.Write]:
    """The writes that add to the sums of the job's deployment and of its dive."""
    keys = [tally_key(job.deployment)] + ([dive_key(job.deployment, job.dive)] if job.dive else [])
    update = "ADD " + ", ".join(f"{name} :{name}" for name in added) + " SET finished_at = :now"
    values = {f":{name}": number for name, number in added.items()} | {":now": table.now()}
    return [
        {"Update": {"Key": key, "UpdateExpression": update, "ExpressionAttributeValues": values}}
        for key in keys
    ]


def message_of(job: JobRecord, item: table.Item) -> JobMessage:
    """The message of a recorded job, as it was sent the first time."""
    return JobMessage(
        video=job.video, user_name=job.user_name, job_name=job.job_name, job_id=job.job_id,
        deployment=job.deployment, args=str(item.get("args", "")), clean=bool(item.get("clean", False)),
        metadata_b64=str(item.get("metadata_b64", "")),
    )  # fmt: skip
