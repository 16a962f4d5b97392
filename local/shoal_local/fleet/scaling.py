"""Managed scaling: how many instances an Auto Scaling group should have. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class GroupState:
    """An Auto Scaling group as managed scaling sees it. Times are seconds of the cloud's clock."""

    minimum: int
    maximum: int
    desired: int
    busy: int
    """Instances with tasks."""
    idle_for: tuple[float, ...] = ()
    """How long each registered instance without tasks has been empty."""
    needed: int = 0
    """More instances for the tasks that find no place."""
    waiting_for: float = 0.0
    """How long tasks have waited for a place."""


def desired_instances(state: GroupState, scaling_delay: float, idle_scale_in: float) -> int:
    """Out when tasks wait, in when instances stay empty, within the group's bounds.

    aws reference 2: the high alarm fires on one datapoint, the low one after 15; CAS never changes Min and
    Max.
    """
    if state.needed and state.waiting_for >= scaling_delay:
        wanted = max(state.desired, state.busy + len(state.idle_for) + state.needed)
        return max(state.minimum, min(wanted, state.maximum))
    spare = [seconds for seconds in state.idle_for if seconds >= idle_scale_in]
    if spare and not state.needed:
        return max(state.minimum, state.desired - len(spare))
    return state.desired
