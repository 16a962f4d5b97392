"""What a pass knows besides the queue: the last pass's note, and the sums over the jobs that have ended."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from shoal import table
from shoal.contracts.job import tally_key
from shoal.fleet.policy import Load
from shoal.settings import settings

_NAME = "FLEET"


@dataclass(frozen=True)
class Memory:
    """Times are ISO 8601 or empty: since when there have been more workers than videos, when videos were
    submitted last, when a job ended last. Sums over the jobs that succeeded are in seconds."""

    surplus_since: str = ""
    submitted_at: str = ""
    finished_at: str = ""
    succeeded: int = 0
    footage_seconds: float = 0.0
    work_seconds: float = 0.0

    def complete(self, load: Load) -> Load:
        """The load with the speed and the length of a video as they were measured, and the idle time."""
        if self.succeeded and self.footage_seconds and self.work_seconds:
            hours = self.footage_seconds / self.succeeded / 3600
            speed = self.footage_seconds / self.work_seconds
            load = replace(load, footage_hours=hours * load.visible, speed=speed)
        if not self.surplus_since:
            return load
        passed = datetime.fromisoformat(table.now()) - datetime.fromisoformat(self.surplus_since)
        return replace(load, surplus_seconds=max(0.0, passed.total_seconds()) * settings().clock_speed)


def recall(deployment: str) -> Memory:
    """What is known; nothing before the first pass and the first job."""
    note, tally = table.read(_key(deployment)) or {}, table.read(tally_key(deployment)) or {}
    return Memory(
        surplus_since=str(note.get("surplus_since", "")),
        submitted_at=str(note.get("submitted_at", "")),
        finished_at=str(tally.get("finished_at", "")),
        succeeded=int(tally.get("succeeded", 0)),
        footage_seconds=float(tally.get("footage_seconds", 0)),
        work_seconds=float(tally.get("work_seconds", 0)),
    )


def note_submission(deployment: str, memory: Memory) -> Memory:
    """Videos were sent: SQS's counts may not show them for a minute, and no worker is idle in that minute."""
    return _write(deployment, replace(memory, surplus_since="", submitted_at=table.now()))


def note_surplus(deployment: str, memory: Memory, there_is: bool) -> Memory:
    """Remember since when there have been more workers than videos.

    That is when the last job ended, or when the last video came if that was later: a pass sees it only up to
    a minute afterwards.
    """
    if there_is == bool(memory.surplus_since):
        return memory
    times = [datetime.fromisoformat(one) for one in (memory.finished_at, memory.submitted_at) if one]
    since = max(times).isoformat() if times else table.now()
    return _write(deployment, replace(memory, surplus_since=since if there_is else ""))


def _write(deployment: str, memory: Memory) -> Memory:
    note = {"surplus_since": memory.surplus_since, "submitted_at": memory.submitted_at}
    table.write({"Put": {"Item": _key(deployment) | note}})
    return memory


def _key(deployment: str) -> table.Item:
    return {"pk": table.deployment_key(deployment), "sk": _NAME}
