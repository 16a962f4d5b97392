"""When a frame was taken, from the time that a dive video carries in its name.

MBARI names clips by camera, dive and the UTC time of their first frame: ``D1423_20220221T164250Z_h265.mp4``.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from fractions import Fraction

_STAMP = re.compile(r"(?<!\d)(\d{8})T(\d{6})(?:\.(\d{1,6})\d*)?Z")


def start_of(name: str) -> datetime | None:
    """The UTC time in a file's name; None where there is none, or none that exists (a 31st of June)."""
    found = _STAMP.search(name)
    if found is None:
        return None
    day, time, fraction = found[1], found[2], (found[3] or "").ljust(6, "0")
    try:
        return datetime.strptime(f"{day}{time}{fraction}", "%Y%m%d%H%M%S%f").replace(tzinfo=UTC)
    except ValueError:
        return None


def time_of(start: datetime, frame: int, rate: Fraction) -> datetime:
    """When frame number ``frame`` (from 1) was taken, at a constant ``rate`` of frames per second."""
    return start + timedelta(microseconds=round((frame - 1) / rate * 1_000_000))


def iso(time: datetime) -> str:
    """``2022-02-21T16:42:50.000000Z``."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
