"""seccomp: the system calls of a decoder, and no other (seccomp(2), filter mode)."""

from __future__ import annotations

import ctypes
import errno
import struct

from shoal_worker.containment.system import system_call
from shoal_worker.containment.systemcalls import SystemCalls, system_calls

_SET_MODE_FILTER, _SYNCHRONISE_THREADS = 1, 1
_ALLOW, _ERRNO, _KILL = 0x7FFF0000, 0x00050000, 0x80000000

_CLONE_THREAD = 0x00010000
_WRITING = 0o1 | 0o2 | 0o100 | 0o1000 | 0o2000 | 0o20000000
"""O_WRONLY, O_RDWR, O_CREAT, O_TRUNC, O_APPEND, O_TMPFILE (its bit above O_DIRECTORY): the same on both
machines, unlike O_DIRECTORY and O_NOFOLLOW."""

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCH = 0, 4

Instruction = tuple[int, int, int, int]
"""Code, jump if true, jump if false, constant (``struct sock_filter``)."""


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def seccomp_available() -> bool:
    """Whether this module knows the machine's system calls."""
    return system_calls() is not None


def allow_decoding_only() -> bool:
    """Refuse (EPERM) every system call that decoding does not need, for all threads; False where not known.

    A thread may be started, a process may not; a file may be opened for reading only. No new privileges must
    have been given up before.

    Raises:
        OSError: the kernel refuses.
    """
    calls = system_calls()
    if calls is None:
        return False
    code = b"".join(struct.pack("=HBBI", *instruction) for instruction in instructions(calls))
    program = _Program(len(code) // 8, code)
    system_call(calls.seccomp, _SET_MODE_FILTER, _SYNCHRONISE_THREADS, ctypes.pointer(program))
    return True


def instructions(calls: SystemCalls) -> list[Instruction]:
    """The filter's program for a machine; a call of another machine's ABI ends the process."""
    allow, refuse = (_RETURN, 0, 0, _ALLOW), (_RETURN, 0, 0, _ERRNO | errno.EPERM)
    absent, kill = (_RETURN, 0, 0, _ERRNO | errno.ENOSYS), (_RETURN, 0, 0, _KILL)
    foreign = [] if calls.foreign is None else [(_AT_LEAST, 0, 1, calls.foreign), kill]
    return [
        (_LOAD, 0, 0, _ARCH), (_EQUAL, 1, 0, calls.audit), kill,
        (_LOAD, 0, 0, _NUMBER), *foreign,
        *(line for number in calls.allowed.values() for line in ((_EQUAL, 0, 1, number), allow)),
        # clone: only with CLONE_THREAD; its structure-taking successor is said to be absent, libc falls back.
        (_EQUAL, 0, 4, calls.clone), (_LOAD, 0, 0, _argument(0)), (_ANY_BIT, 0, 1, _CLONE_THREAD), allow,
        refuse,
        (_EQUAL, 0, 1, calls.clone3), absent,
        (_EQUAL, 0, 4, calls.openat), (_LOAD, 0, 0, _argument(2)), (_ANY_BIT, 1, 0, _WRITING), allow, refuse,
        # prlimit64: asking only, that is, without a new limit; a pointer's two halves are compared.
        (_EQUAL, 0, 6, calls.prlimit64), (_LOAD, 0, 0, _argument(2)), (_EQUAL, 0, 3, 0),
        (_LOAD, 0, 0, _argument(2) + 4), (_EQUAL, 0, 1, 0), allow, refuse,
        refuse,
    ]  # fmt: skip


def _argument(index: int) -> int:
    """The offset of an argument's low half in ``struct seccomp_data``."""
    return 16 + 8 * index
