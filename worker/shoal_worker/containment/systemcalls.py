"""The system calls of a decoder by their numbers, for each machine that a worker may run on.

Sources: Linux's arch/x86/entry/syscalls/syscall_64.tbl, include/uapi/asm-generic/unistd.h (AArch64 has these
and no older ones: ``ppoll`` for ``poll``, ``readlinkat`` for ``readlink``) and include/uapi/linux/audit.h.
"""

from __future__ import annotations

import platform
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SystemCalls:
    """``audit`` is the machine's AUDIT_ARCH; ``allowed`` by name; the others are looked at more closely.

    ``foreign`` is where the numbers of another ABI begin on the same audit value (x32), None where none do.
    """

    audit: int
    seccomp: int
    allowed: dict[str, int]
    clone: int
    openat: int
    prlimit64: int
    clone3: int = 435
    foreign: int | None = None


X86_64 = SystemCalls(
    audit=0xC000003E, seccomp=317, clone=56, openat=257, prlimit64=302, foreign=0x40000000,
    allowed={
        "read": 0, "write": 1, "close": 3, "fstat": 5, "poll": 7, "lseek": 8, "mmap": 9, "mprotect": 10,
        "munmap": 11, "brk": 12, "rt_sigaction": 13, "rt_sigprocmask": 14, "rt_sigreturn": 15, "pread64": 17,
        "readv": 19, "writev": 20, "select": 23, "sched_yield": 24, "mremap": 25, "madvise": 28, "dup": 32,
        "nanosleep": 35, "getpid": 39, "exit": 60, "uname": 63, "fcntl": 72, "getcwd": 79, "readlink": 89,
        "gettimeofday": 96, "getrlimit": 97, "getrusage": 98, "sysinfo": 99, "getuid": 102, "getgid": 104,
        "geteuid": 107, "getegid": 108, "sigaltstack": 131, "gettid": 186, "futex": 202,
        "sched_getaffinity": 204, "clock_gettime": 228, "clock_nanosleep": 230, "exit_group": 231,
        "newfstatat": 262, "set_robust_list": 273, "getrandom": 318, "membarrier": 324, "statx": 332,
        "rseq": 334,
    },
)  # fmt: skip

AARCH64 = SystemCalls(
    audit=0xC00000B7, seccomp=277, clone=220, openat=56, prlimit64=261,
    allowed={
        "read": 63, "write": 64, "close": 57, "fstat": 80, "ppoll": 73, "lseek": 62, "mmap": 222,
        "mprotect": 226, "munmap": 215, "brk": 214, "rt_sigaction": 134, "rt_sigprocmask": 135,
        "rt_sigreturn": 139, "pread64": 67, "readv": 65, "writev": 66, "pselect6": 72, "sched_yield": 124,
        "mremap": 216, "madvise": 233, "dup": 23, "nanosleep": 101, "getpid": 172, "exit": 93, "uname": 160,
        "fcntl": 25, "getcwd": 17, "readlinkat": 78, "gettimeofday": 169, "getrlimit": 163, "getrusage": 165,
        "sysinfo": 179, "getuid": 174, "getgid": 176, "geteuid": 175, "getegid": 177, "sigaltstack": 132,
        "gettid": 178, "futex": 98, "sched_getaffinity": 123, "clock_gettime": 113, "clock_nanosleep": 115,
        "exit_group": 94, "newfstatat": 79, "set_robust_list": 99, "getrandom": 278, "membarrier": 283,
        "statx": 291, "rseq": 293,
    },
)  # fmt: skip

_MACHINES = {"x86_64": X86_64, "amd64": X86_64, "aarch64": AARCH64, "arm64": AARCH64}


def system_calls() -> SystemCalls | None:
    """Those of this machine; None where they are not known."""
    return _MACHINES.get(platform.machine().lower())
