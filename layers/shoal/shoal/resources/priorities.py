"""Priorities of rules on the shared listener, claimed before a rule is made (CreateRule: 1 to 50000)."""

from __future__ import annotations

from collections.abc import Collection

from shoal.errors import NoCapacity
from shoal.resources.claims import Claims

_PRIORITIES = Claims("PRIORITY")
_ALL = range(1, 50_001)


def owned(deployment: str) -> list[int]:
    """The priorities a deployment holds, lowest first."""
    return sorted(int(key) for key, owner in _PRIORITIES.owners().items() if owner == deployment)


def claim(deployment: str, generation: int, busy: Collection[int]) -> int:
    """The priority of this deployment: the one it holds, or else the lowest that nobody holds.

    Args:
        busy: what rules hold that are on the listener now, ours or not.

    Raises:
        NoCapacity: every priority is taken.
        StaleWriter: a newer generation owns the deployment.
    """
    owners = {int(key): owner for key, owner in _PRIORITIES.owners().items()}
    held = sorted(priority for priority, owner in owners.items() if owner == deployment)
    if held:
        return held[0]
    for priority in _ALL:
        if priority in owners or priority in busy:
            continue
        if _PRIORITIES.take(str(priority), deployment, generation):
            return priority
    raise NoCapacity("every priority of the shared listener is taken: remove rules that nobody needs")


def mark_foreign(priority: int, deployment: str, generation: int) -> None:
    """Give up a priority because somebody else's rule holds it."""
    _PRIORITIES.mark_foreign(str(priority), deployment, generation)


def release_all(deployment: str) -> None:
    """Free whatever the deployment holds."""
    for priority in owned(deployment):
        _PRIORITIES.release(str(priority), deployment)
