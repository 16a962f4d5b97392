"""A dive: the jobs that were submitted under one name, seen as one piece of work.

Its sums are written in the transactions that record and end its jobs, so that looking at a dive of 100,000
videos costs as much as looking at one.
"""

from __future__ import annotations

from datetime import UTC, datetime

from pydantic import BaseModel

from shoal import table

_PREFIX = "DIVE#"
PRICES = {
    "g4dn.xlarge": 0.526, "g4dn.2xlarge": 0.752, "g5.xlarge": 1.006, "g5.2xlarge": 1.212,
    "g6.xlarge": 0.8048, "g6.2xlarge": 0.9776, "g6e.xlarge": 1.861,
}  # fmt: skip
"""USD an hour on demand in us-west-2, Linux; published prices of 2026, for an estimate only."""


class Dive(BaseModel):
    """Where a dive stands. Times are ISO 8601; ``eta_hours`` is by the pace so far, null before a first end.

    ``work_hours`` are GPU hours of the videos that succeeded, ``usd`` their price on demand (null where the
    instance type's is not known): starting, idling and failed attempts are not in it.
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

    @property
    def is_over(self) -> bool:
        return self.waiting == 0


def list_dives(
    deployment: str, instance_type: str, limit: int, after: str = ""
) -> tuple[list[Dive], str | None]:
    """A page of dives by name, and the name to give as ``after`` for the next."""
    items = table.query_after(table.deployment_key(deployment), _PREFIX, after, limit + 1)
    dives = [_dive(item, instance_type) for item in items[:limit]]
    return dives, dives[-1].job_name if len(items) > limit else None


def unreported(deployment: str, instance_type: str) -> list[Dive]:
    """Dives that are over and of which nobody was told."""
    items = table.query(table.deployment_key(deployment), _PREFIX)
    dives = [_dive(item, instance_type) for item in items if item.get("reported", 0) != _ended(item)]
    return [one for one in dives if one.is_over]


def note_report(deployment: str, dive: Dive) -> None:
    """Remember that its end was told; further jobs under the name make it a dive to be told of again."""
    key = {"pk": table.deployment_key(deployment), "sk": f"{_PREFIX}{dive.job_name}"}
    values = {":ended": dive.succeeded + dive.failed + dive.cancelled}
    table.write(
        {
            "Update": {
                "Key": key,
                "UpdateExpression": "SET reported = :ended",
                "ExpressionAttributeValues": values,
            }
        }
    )


def _ended(item: table.Item) -> int:
    return sum(int(item.get(name, 0)) for name in ("succeeded", "failed", "cancelled"))


def _dive(item: table.Item, instance_type: str) -> Dive:
    submitted, ended = int(item.get("submitted", 0)), _ended(item)
    waiting = max(0, submitted - ended)
    work_hours = float(item.get("work_seconds", 0)) / 3600
    price = PRICES.get(instance_type)
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
    )


def _eta(created_at: str, ended: int, waiting: int) -> float | None:
    if not ended or not created_at:
        return 0.0 if not waiting else None
    passed = datetime.now(UTC) - datetime.fromisoformat(created_at)
    return round(passed.total_seconds() / 3600 / ended * waiting, 2)
