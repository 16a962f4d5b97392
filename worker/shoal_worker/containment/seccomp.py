"""seccomp: the system calls of a decoder, and no other (seccomp(2), filter mode; numbers of x86-64)."""

from __future__ import annotations

import ctypes
import errno
import platform
import struct

from shoal_worker.containment.system import system_call

_ARCHITECTURE = 0xC000003E
_X32_BIT = 0x40000000
_SECCOMP = 317
_SET_MODE_FILTER, _SYNCHRONISE_THREADS = 1, 1
_ALLOW, _ERRNO, _KILL = 0x7FFF0000, 0x00050000, 0x80000000

_ALLOWED = {
    "read": 0, "write": 1, "close": 3, "fstat": 5, "poll": 7, "lseek": 8, "mmap": 9, "mprotect": 10,
    "munmap": 11, "brk": 12, "rt_sigaction": 13, "rt_sigprocmask": 14, "rt_sigreturn": 15, "pread64": 17,
    "readv": 19, "writev": 20, "select": 23, "sched_yield": 24, "mremap": 25, "madvise": 28, "dup": 32,
    "nanosleep": 35, "getpid": 39, "exit": 60, "uname": 63, "fcntl": 72, "getcwd": 79, "readlink": 89,
    "gettimeofday": 96, "getrlimit": 97, "getrusage": 98, "sysinfo": 99, "getuid": 102, "getgid": 104,
    "geteuid": 107, "getegid": 108, "sigaltstack": 131, "gettid": 186, "futex": 202,
    "sched_getaffinity": 204, "clock_gettime": 228, "clock_nanosleep": 230, "exit_group": 231,
    "newfstatat": 262, "set_robust_list": 273, "getrandom": 318, "membarrier": 324, "statx": 332, "rseq": 334,
}  # fmt: skip
_CLONE, _OPENAT, _PRLIMIT, _CLONE3 = 56, 257, 302, 435
_CLONE_THREAD = 0x00010000
_WRITING = 0o1 | 0o2 | 0o100 | 0o1000 | 0o2000 | 0o20000000
"""O_WRONLY, O_RDWR, O_CREAT, O_TRUNC, O_APPEND, O_TMPFILE (its bit above O_DIRECTORY)."""

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCH = 0, 4

Instruction = tuple[int, int, int, int]
"""Code, jump if true, jump if false, constant (``struct sock_filter``)."""


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def seccomp_available() -> bool:
    """Whether this module knows the machine's system calls."""
    return platform.machine().lower() in {"x86_64", "amd64"}


def allow_decoding_only() -> bool:
    """Refuse (EPERM) every system call that decoding does not need, for all threads; False where not known.

    A thread may be started, a process may not; a file may be opened for reading only. No new privileges must
    have been given up before.

    Raises:
        OSError: the kernel refuses.
    """
    if not seccomp_available():
        return False
    code = b"".join(struct.pack("=HBBI", *instruction) for instruction in _instructions())
    program = _Program(len(code) // 8, code)
    system_call(_SECCOMP, _SET_MODE_FILTER, _SYNCHRONISE_THREADS, ctypes.pointer(program))
    return True


def _instructions() -> list[Instruction]:
    allow, refuse = (_RETURN, 0, 0, _ALLOW), (_RETURN, 0, 0, _ERRNO | errno.EPERM)
    absent = (_RETURN, 0, 0, _ERRNO | errno.ENOSYS)
    return [
        (_LOAD, 0, 0, _ARCH),
        (_EQUAL, 1, 0, _ARCHITECTURE),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER),
        (_AT_LEAST, 0, 1, _X32_BIT),
        (_RETURN, 0, 0, _KILL),
        *(line for number in _ALLOWED.values() for line in ((_EQUAL, 0, 1, number), allow)),
        # clone: only with CLONE_THREAD; its structure-taking successor is said to be absent, libc falls back.
        (_EQUAL, 0, 4, _CLONE), (_LOAD, 0, 0, _argument(0)), (_ANY_BIT, 0, 1, _CLONE_THREAD), allow, refuse,
        (_EQUAL, 0, 1, _CLONE3), absent,
        (_EQUAL, 0, 4, _OPENAT), (_LOAD, 0, 0, _argument(2)), (_ANY_BIT, 1, 0, _WRITING), allow, refuse,
        # prlimit64: asking only, that is, without a new limit; a pointer's two halves are compared.
        (_EQUAL, 0, 6, _PRLIMIT), (_LOAD, 0, 0, _argument(2)), (_EQUAL, 0, 3, 0),
        (_LOAD, 0, 0, _argument(2) + 4), (_EQUAL, 0, 1, 0), allow, refuse,
        refuse,
    ]  # fmt: skip


def _argument(index: int) -> int:
    """The offset of an argument's low half in ``struct seccomp_data``."""
    return 16 + 8 * index
