"""Whether a process is there: one answer for everyone who asks about the embedded cloud."""

from __future__ import annotations

import os


def is_alive(pid: int) -> bool:
    """A process with this id exists, whoever owns it; an ended child counts until it is waited for."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
