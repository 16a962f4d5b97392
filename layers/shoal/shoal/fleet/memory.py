"""What a pass knows besides the queue: the last pass's note, and the sums over the jobs that have ended."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from shoal import table
from shoal.contracts.job import tally_key
from shoal.fleet.policy import Load, surplus
from shoal.settings import settings

_NAME = "FLEET"


@dataclass(frozen=True)
class Memory:
    """Times are ISO 8601 or empty: since when there have been more workers than videos, since when videos
    have waited without a break, when videos were submitted last, when a job ended last. Sums over the jobs
    that succeeded are in seconds."""

    surplus_since: str = ""
    waiting_since: str = ""
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
        return replace(
            load,
            surplus_seconds=_seconds_since(self.surplus_since),
            waited_hours=_seconds_since(self.waiting_since) / 3600,
        )


def recall(deployment: str) -> Memory:
    """What is known; nothing before the first pass and the first job."""
    note, tally = table.read(_key(deployment)) or {}, table.read(tally_key(deployment)) or {}
    return Memory(
        surplus_since=str(note.get("surplus_since", "")),
        waiting_since=str(note.get("waiting_since", "")),
        submitted_at=str(note.get("submitted_at", "")),
        finished_at=str(tally.get("finished_at", "")),
        succeeded=int(tally.get("succeeded", 0)),
        footage_seconds=float(tally.get("footage_seconds", 0)),
        work_seconds=float(tally.get("work_seconds", 0)),
    )


def note_submission(deployment: str, memory: Memory) -> Memory:
    """Videos were sent: SQS's counts may not show them for a minute, and no worker is idle in that minute."""
    time = table.now()
    since = memory.waiting_since or time
    return _write(deployment, replace(memory, surplus_since="", waiting_since=since, submitted_at=time))


def note_pass(deployment: str, memory: Memory, load: Load) -> Memory:
    """Remember since when there have been more workers than videos, and since when videos have waited."""
    since = memory.surplus_since or _last_change(memory) if surplus(load) else ""
    waiting = memory.waiting_since or table.now() if load.visible else ""
    seen = replace(memory, surplus_since=since, waiting_since=waiting)
    return memory if seen == memory else _write(deployment, seen)


def _last_change(memory: Memory) -> str:
    """When the last job ended, or when the last video came if that was later: a pass sees it only up to a
    minute afterwards."""
    times = [datetime.fromisoformat(one) for one in (memory.finished_at, memory.submitted_at) if one]
    return max(times).isoformat() if times else table.now()


def _seconds_since(time: str) -> float:
    """On the cloud's clock; 0 for no time."""
    if not time:
        return 0.0
    passed = datetime.fromisoformat(table.now()) - datetime.fromisoformat(time)
    return max(0.0, passed.total_seconds()) * settings().clock_speed


def _write(deployment: str, memory: Memory) -> Memory:
    kept = ("surplus_since", "waiting_since", "submitted_at")
    note = {name: getattr(memory, name) for name in kept}
    table.write({"Put": {"Item": _key(deployment) | note}})
    return memory


def _key(deployment: str) -> table.Item:
    return {"pk": table.deployment_key(deployment), "sk": _NAME}
