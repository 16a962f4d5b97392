"""What a contained decoder may use."""

from __future__ import annotations

import resource
from dataclasses import dataclass

GIB = 1024**3


@dataclass(frozen=True, slots=True)
class Limits:
    """``memory_bytes`` of address space, ``cpu_seconds`` of all threads together, ``open_files``, and how
    many seconds may pass ``between_frames`` before the parent ends the process."""

    memory_bytes: int = 2 * GIB
    cpu_seconds: int = 12 * 3600
    open_files: int = 32
    between_frames: float = 30.0


def set_limits(limits: Limits) -> None:
    """Limit this process for good: also no file of any length, no core dump (setrlimit(2))."""
    values = {
        resource.RLIMIT_AS: limits.memory_bytes,
        resource.RLIMIT_CPU: limits.cpu_seconds,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_NOFILE: limits.open_files,
        resource.RLIMIT_CORE: 0,
    }
    for which, value in values.items():
        hard = resource.getrlimit(which)[1]
        wanted = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(which, (wanted, wanted))
