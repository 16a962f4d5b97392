"""Landlock: from now on this process reads one file and nothing else (landlock(7), kernel 5.13 or later)."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Sequence
from pathlib import Path

from shoal_worker.containment.system import system_call

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_ASK_VERSION = 1
_PATH_BENEATH = 1
_READ_FILE = 1 << 2
_RIGHTS_OF_FILES = {1: 13, 2: 14, 3: 15, 5: 16}
"""Number of rights over files by the interface's version: 2 has REFER, 3 TRUNCATE, 5 IOCTL_DEV."""
_TCP = 0b11
_ABSTRACT_SOCKETS_AND_SIGNALS = 0b11


class _Ruleset(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("network", ctypes.c_uint64), ("scopes", ctypes.c_uint64))


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32))


def landlock_version() -> int:
    """The version of the kernel's Landlock; 0 where it has none or it is switched off."""
    try:
        return system_call(_CREATE_RULESET, None, 0, _ASK_VERSION)
    except OSError:
        return 0


def allow_reading_only(files: Sequence[Path]) -> int:
    """Forbid this thread everything that Landlock knows of but reading ``files``.

    The threads it starts are restricted too. No new privileges must have been given up before. The answer is
    Landlock's version; 0: the kernel has none and nothing was forbidden.

    Raises:
        OSError: a file is not there, or the kernel refuses.
    """
    version = landlock_version()
    if version == 0:
        return 0
    rights = max(count for since, count in _RIGHTS_OF_FILES.items() if since <= version)
    wanted = _Ruleset((1 << rights) - 1)
    if version >= 4:
        wanted.network = _TCP
    if version >= 6:
        wanted.scopes = _ABSTRACT_SOCKETS_AND_SIGNALS
    size = ctypes.sizeof(wanted) if version >= 6 else 16 if version >= 4 else 8
    ruleset = system_call(_CREATE_RULESET, ctypes.pointer(wanted), size, 0)
    try:
        for file in files:
            _allow(ruleset, file)
        system_call(_RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)
    return version


def _allow(ruleset: int, file: Path) -> None:
    handle = os.open(file, os.O_PATH | os.O_CLOEXEC)
    try:
        rule = _Beneath(_READ_FILE, handle)
        system_call(_ADD_RULE, ruleset, _PATH_BENEATH, ctypes.pointer(rule), 0)
    finally:
        os.close(handle)
