"""A dive: the jobs that were submitted under one name, seen as one piece of work.

Its sums are written in the transactions that record and end its jobs, so that looking at a dive of 100,000
videos costs as much as looking at one.
"""

from __future__ import annotations

from datetime import UTC, datetime

from pydantic import BaseModel

from shoal import table
from shoal.contracts.job import JobRecord, dive_key
from shoal.contracts.status import JobStatus
from shoal.deployments import prices
from shoal.jobs.manifest_model import Manifest, key_of

_PREFIX = "DIVE#"
_OPEN = "OPEN#"


class Dive(BaseModel):
    """Where a dive stands. Times are ISO 8601; ``eta_hours`` is by the pace so far, null before a first end.

    ``work_hours`` are GPU hours of the videos that succeeded, ``usd`` their price on demand (null where the
    instance type's is not known): starting, idling and failed attempts are not in it. While it is
    ``reading`` a manifest further videos are to come.
    """

    job_name: str
    submitted: int
    succeeded: int
    failed: int
    cancelled: int
    waiting: int
    footage_hours: float
    work_hours: float
    usd: float | None
    eta_hours: float | None
    created_at: str
    finished_at: str | None
    reading: bool = False
    manifest: Manifest | None = None

    @property
    def is_over(self) -> bool:
        return self.waiting == 0 and not self.reading


def list_dives(
    deployment: str, instance_types: tuple[str, ...], limit: int, after: str = ""
) -> tuple[list[Dive], str | None]:
    """A page of dives by name, and the name to give as ``after`` for the next."""
    items = table.query_after(table.deployment_key(deployment), _PREFIX, after, limit + 1)
    dives = _seen(deployment, items[:limit], instance_types)
    return dives, dives[-1].job_name if len(items) > limit else None


def opening(deployment: str, job_name: str) -> table.Write:
    """The write that marks a dive as not over, beside each that makes a job of it wait."""
    return {
        "Update": {
            "Key": {"pk": table.deployment_key(deployment), "sk": f"{_OPEN}{job_name}"},
            "UpdateExpression": "SET opened_at = if_not_exists(opened_at, :now)",
            "ExpressionAttributeValues": {":now": table.now()},
        }
    }


def ended(deployment: str, instance_types: tuple[str, ...]) -> list[tuple[Dive, str]]:
    """The dives that are over and of which nobody was told, each with the time it was opened at.

    It reads those that are open, however many there were.
    """
    marks = table.query(table.deployment_key(deployment), _OPEN)
    opened = {str(one["sk"]).removeprefix(_OPEN): str(one["opened_at"]) for one in marks}
    items = table.read_many([dive_key(deployment, name) for name in opened])
    dives = _seen(deployment, items, instance_types)
    return [(one, opened[one.job_name]) for one in dives if one.is_over]


def close(deployment: str, dive: Dive) -> bool:
    """Its end was told; False where videos came to it meanwhile: then its next end is told too."""
    key, seen = dive_key(deployment, dive.job_name), {":submitted": dive.submitted}
    same = "submitted = :submitted AND (attribute_not_exists(reading) OR reading = :none)"
    told = table.update(key, {"told_at": table.now()}, same, seen | {":none": 0})
    mark = {"pk": table.deployment_key(deployment), "sk": f"{_OPEN}{dive.job_name}"}
    try:
        table.write(told, {"Delete": {"Key": mark}})
    except table.ConditionFailed:
        return False
    return True


def failures(deployment: str, job_name: str, limit: int) -> list[JobRecord]:
    """Up to ``limit`` failed jobs of a dive."""
    equal = {"dive": {job_name}, "status": {str(JobStatus.FAILED)}}
    items = table.query_where(table.deployment_key(deployment), "JOB#", equal, limit)
    return [JobRecord.model_validate(item) for item in items]


def _ended(item: table.Item) -> int:
    return sum(int(item.get(name, 0)) for name in ("succeeded", "failed", "cancelled"))


def _seen(deployment: str, items: list[table.Item], instance_types: tuple[str, ...]) -> list[Dive]:
    """With the manifest that each was submitted by last, where it was."""
    keys = [key_of(deployment, str(item["manifest"])) for item in items if item.get("manifest")]
    known = {str(found["manifest_id"]): Manifest.model_validate(found) for found in table.read_many(keys)}
    return [
        _dive(item, prices.dearest(instance_types), known.get(str(item.get("manifest")))) for item in items
    ]


def _dive(item: table.Item, price: float | None, manifest: Manifest | None) -> Dive:
    submitted, ended = int(item.get("submitted", 0)), _ended(item)
    waiting = max(0, submitted - ended)
    work_hours = float(item.get("work_seconds", 0)) / 3600
    created_at = str(item.get("created_at", ""))
    return Dive(
        job_name=str(item["sk"]).removeprefix(_PREFIX),
        submitted=submitted,
        succeeded=int(item.get("succeeded", 0)),
        failed=int(item.get("failed", 0)),
        cancelled=int(item.get("cancelled", 0)),
        waiting=waiting,
        footage_hours=round(float(item.get("footage_seconds", 0)) / 3600, 3),
        work_hours=round(work_hours, 3),
        usd=None if price is None else round(work_hours * price, 2),
        eta_hours=_eta(created_at, ended, waiting),
        created_at=created_at,
        finished_at=str(item["finished_at"]) if waiting == 0 and item.get("finished_at") else None,
        reading=int(item.get("reading", 0)) > 0,
        manifest=manifest,
    )


def _eta(created_at: str, ended: int, waiting: int) -> float | None:
    if not ended or not created_at:
        return 0.0 if not waiting else None
    passed = datetime.now(UTC) - datetime.fromisoformat(created_at)
    return round(passed.total_seconds() / 3600 / ended * waiting, 2)
