"""Gives up everything that decoding does not need, and says what the kernel could do about it."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from shoal_worker.containment.landlock import allow_reading_only
from shoal_worker.containment.limits import Limits, set_limits
from shoal_worker.containment.seccomp import allow_decoding_only
from shoal_worker.containment.system import (
    PR_SET_DUMPABLE,
    PR_SET_NO_NEW_PRIVS,
    PR_SET_PDEATHSIG,
    process_control,
)


@dataclass(frozen=True, slots=True)
class Confinement:
    """What holds: limits and no new privileges always; Landlock's version (0: none); seccomp."""

    limits: bool
    no_new_privileges: bool
    landlock: int
    seccomp: bool

    @property
    def complete(self) -> bool:
        """Every layer holds."""
        return self.limits and self.no_new_privileges and self.landlock > 0 and self.seccomp

    def describe(self) -> dict[str, Any]:
        """For a log or a status."""
        return asdict(self) | {"complete": self.complete}


def confine(files: Sequence[Path], limits: Limits) -> Confinement:
    """Confine this process for good: it may read ``files``, compute, and use what is open already.

    Everything that is still to be imported or opened must be, before. The process dies with its parent.

    Raises:
        OSError: the kernel knows a layer and refuses it.
    """
    process_control(PR_SET_PDEATHSIG, signal.SIGKILL)
    process_control(PR_SET_DUMPABLE, 0)
    process_control(PR_SET_NO_NEW_PRIVS, 1)
    landlock = allow_reading_only(files)
    set_limits(limits)
    return Confinement(True, True, landlock, allow_decoding_only())
