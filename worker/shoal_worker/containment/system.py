"""System calls that Python has no function for."""

from __future__ import annotations

import ctypes
import os

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_NO_NEW_PRIVS = 38

_LIBC = ctypes.CDLL(None, use_errno=True)


def system_call(number: int, *arguments: int | ctypes._Pointer[ctypes.Structure] | None) -> int:
    """syscall(2); raises OSError."""
    answer = int(_LIBC.syscall(ctypes.c_long(number), *arguments))
    if answer < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return answer


def process_control(option: int, value: int) -> None:
    """prctl(2) with one argument; raises OSError."""
    nothing = ctypes.c_ulong(0)
    if _LIBC.prctl(ctypes.c_int(option), ctypes.c_ulong(value), nothing, nothing, nothing) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
