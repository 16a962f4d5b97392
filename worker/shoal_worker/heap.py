"""Memory that was freed, given back to the system."""

from __future__ import annotations

import ctypes
import sys


def give_back() -> None:
    """What decoding and detecting freed goes back to the system: the C library keeps it for smaller requests,
    and what the offline pass takes would come on top. Source: malloc_trim(3), of glibc; elsewhere nothing is
    done."""
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
