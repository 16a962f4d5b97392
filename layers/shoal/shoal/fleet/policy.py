"""Pure policy: how many workers a deployment should have."""

from __future__ import annotations


def desired_count(*, visible: int, in_flight: int, current: int, fleet_size: int, minimum: int = 0) -> int:
    """The number of workers wanted for a queue.

    ``visible`` and ``in_flight`` are messages, ``current`` the count that is wanted now, ``minimum`` what an
    endpoint needs. One worker takes one video at a time. While there is any work the count only rises: ECS
    chooses itself which task a lower count stops, and it could be one in the middle of a video. Without work
    it falls to ``minimum``, so that the fleet disperses. It is never raised above ``fleet_size``.
    """
    work = visible + in_flight
    if work == 0:
        return minimum
    return max(current, min(max(work, minimum), fleet_size))
