"""What one pass tells the next: one small item for each deployment, written only when it changes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from shoal import table
from shoal.fleet.policy import Load

_NAME = "FLEET"


@dataclass(frozen=True)
class Memory:
    """``surplus_since`` is ISO 8601, empty while there are no more workers than videos."""

    surplus_since: str = ""

    def complete(self, load: Load) -> Load:
        """The load with what only a series of passes can know."""
        if not self.surplus_since:
            return load
        since = datetime.fromisoformat(self.surplus_since)
        passed = datetime.fromisoformat(table.now()) - since
        return replace(load, surplus_seconds=max(0.0, passed.total_seconds()))


def recall(deployment: str) -> Memory:
    """What the last pass left; nothing before the first."""
    item = table.read(_key(deployment)) or {}
    return Memory(surplus_since=str(item.get("surplus_since", "")))


def note_surplus(deployment: str, memory: Memory, there_is: bool) -> Memory:
    """Remember since when there have been more workers than videos."""
    if there_is == bool(memory.surplus_since):
        return memory
    changed = Memory(surplus_since=table.now() if there_is else "")
    table.write({"Put": {"Item": _key(deployment) | {"surplus_since": changed.surplus_since}}})
    return changed


def _key(deployment: str) -> table.Item:
    return {"pk": table.deployment_key(deployment), "sk": _NAME}
