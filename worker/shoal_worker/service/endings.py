"""How a job ends: the last fields of its record, and what is added to the sums over all jobs."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from shoal.contracts.job import dive_key, tally_key
from shoal.contracts.status import JobStatus

Value = dict[str, str]
"""A value as DynamoDB spells it."""
FOR_GOOD = "for good"
"""``ended`` of a record that no message begins again, only a redrive."""
Sums = dict[str, dict[str, Value]]
"""What is added, by the sort key of the sum."""


@dataclass(frozen=True)
class Lease:
    """One attempt's right to end its job. ``counted``: the job is among its dive's failures already;
    ``released``: earlier attempts that ended because their worker was told to stop."""

    job_id: str
    attempt: int
    dive: str = ""
    counted: bool = False
    released: int = 0


@dataclass(frozen=True)
class Finished:
    """What a finished video leaves in its record; ``footage_seconds`` is its length, ``seconds`` took it."""

    result: str
    frames: int
    tracks: int
    seconds: float
    footage_seconds: float = 0.0


def succeeding(lease: Lease, finished: Finished) -> tuple[dict[str, Value], Sums]:
    """The record of a success, and its sums."""
    fields: dict[str, Value] = {
        "status": {"S": JobStatus.SUCCEEDED},
        "reason": {"S": ""},
        "counted": {"S": ""},
        "result": {"S": finished.result},
        "frames": _number(finished.frames),
        "tracks": _number(finished.tracks),
        "seconds": _number(finished.seconds),
        "footage_seconds": _number(finished.footage_seconds),
    }
    added = {
        "succeeded": _number(1),
        "footage_seconds": _number(finished.footage_seconds),
        "work_seconds": _number(finished.seconds),
    }
    return fields, _sums(lease, added, {"failed": _number(-1)} if lease.counted else {})


def failing(lease: Lease, reason: str, for_good: bool) -> tuple[dict[str, Value], Sums]:
    """The record of a failure, and its sums; a job that fails again is no second failure of its dive."""
    fields: dict[str, Value] = {
        "status": {"S": JobStatus.FAILED}, "reason": {"S": reason}, "counted": {"S": "failed"},
        "ended": {"S": FOR_GOOD if for_good else ""},
    }  # fmt: skip
    return fields, _sums(lease, {"failed": _number(0 if lease.counted else 1)}, {})


def _sums(lease: Lease, added: dict[str, Value], corrected: dict[str, Value]) -> Sums:
    every = added | corrected
    sums = {tally_key("")["sk"]: every}
    return sums | ({dive_key("", lease.dive)["sk"]: every} if lease.dive else {})


def _number(value: float) -> Value:
    return {"N": str(Decimal(str(round(value, 3))))}
