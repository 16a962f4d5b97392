"""The seccomp filter of both machines, run by an interpreter of its own for every system call there is."""

from __future__ import annotations

import errno
import re
import struct
from pathlib import Path

import pytest
from shoal_worker.containment import systemcalls
from shoal_worker.containment.seccomp import instructions, seccomp_available
from shoal_worker.containment.systemcalls import AARCH64, X86_64, SystemCalls, system_calls

MACHINES = {"x86-64": X86_64, "aarch64": AARCH64}
HEADERS = {
    "x86-64": Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    "aarch64": Path("/usr/include/asm-generic/unistd.h"),
}
ALLOW, KILL = 0x7FFF0000, 0x80000000
DENIED, ABSENT = 0x00050000 | errno.EPERM, 0x00050000 | errno.ENOSYS
HARMFUL = """
    socket connect bind listen accept sendto sendmsg recvmsg socketpair execve execveat ptrace kill tgkill
    mount unshare setns chroot bpf keyctl perf_event_open io_uring_setup io_uring_enter userfaultfd
    memfd_create ftruncate truncate fallocate pwrite64 ioctl prctl seccomp setuid setgid setrlimit
    process_vm_readv process_vm_writev openat2 open_tree pidfd_open pidfd_getfd unlinkat mkdirat symlinkat
    linkat fchmodat fchownat shmget msgget semget mq_open init_module finit_module kexec_load reboot swapon
    sched_setaffinity
""".split()  # noqa: SIM905 - names read better than a column of quotes
"""On both machines; each is looked up in its header."""
OLD = "open creat fork vfork unlink rename mkdir chmod link symlink".split()  # noqa: SIM905 - of x86-64 only


@pytest.fixture(params=list(MACHINES))
def machine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def verdict(calls: SystemCalls, number: int, *arguments: int, audit: int | None = None) -> int:
    """What the kernel would return for a call: ``struct seccomp_data``, the five instructions that are used
    (bpf(4), linux/bpf_common.h)."""
    given = [*arguments, 0, 0, 0, 0, 0, 0][:6]
    data = struct.pack("<IIQ6Q", number, calls.audit if audit is None else audit, 0, *given)
    program, at, word = instructions(calls), 0, 0
    while True:
        code, true, false, constant = program[at]
        if code == 0x06:
            return constant
        if code == 0x20:
            (word,) = struct.unpack_from("<I", data, constant)
            at += 1
            continue
        holds = {0x15: word == constant, 0x35: word >= constant, 0x45: bool(word & constant)}[code]
        at += 1 + (true if holds else false)


def numbers(machine: str) -> dict[str, int]:
    """Every system call of the kernel's own header."""
    if not HEADERS[machine].exists():
        pytest.skip("the kernel's headers are not installed here")
    found = re.finditer(r"#define __NR(?:3264)?_(\w+) (\d+)", HEADERS[machine].read_text())
    read = {one[1]: int(one[2]) for one in found}
    return read | ({"newfstatat": read["fstatat"]} if "fstatat" in read else {})


def test_the_numbers_are_those_of_the_kernels_headers(machine: str) -> None:
    calls, known = MACHINES[machine], numbers(machine)
    special = {name: getattr(calls, name) for name in ("seccomp", "clone", "openat", "prlimit64")}
    for name, number in {**calls.allowed, **special}.items():
        assert (name, number) == (name, known[name])


def test_both_machines_allow_the_same_by_their_own_names() -> None:
    older = {"poll": "ppoll", "select": "pselect6", "readlink": "readlinkat"}
    assert [older.get(name, name) for name in X86_64.allowed] == list(AARCH64.allowed)


def test_what_decoding_needs_is_allowed(machine: str) -> None:
    calls = MACHINES[machine]
    assert {verdict(calls, number) for number in calls.allowed.values()} == {ALLOW}


def test_everything_else_is_refused(machine: str) -> None:
    # Given every number up to a thousand
    calls = MACHINES[machine]
    looked_at = {calls.clone, calls.clone3, calls.openat, calls.prlimit64}
    rest = set(range(1000)) - set(calls.allowed.values()) - looked_at
    # When, Then
    assert {verdict(calls, number) for number in rest} == {DENIED}


def test_what_does_harm_is_not_among_the_allowed(machine: str) -> None:
    calls, known = MACHINES[machine], numbers(machine)
    names = HARMFUL + (OLD if machine == "x86-64" else [])
    assert {verdict(calls, known[name]) for name in names} == {DENIED}


@pytest.mark.parametrize(
    ("call", "arguments", "expected"),
    [
        ("clone", (0x003D0F00,), ALLOW),  # a thread, as pthread_create asks for it
        ("clone", (17,), DENIED),  # fork: SIGCHLD and nothing else
        ("clone", (0x10000000 | 17,), DENIED),  # a namespace of users
        ("clone3", (0,), ABSENT),
        ("openat", (0xFFFFFF9C, 0, 0o2000000), ALLOW),  # O_RDONLY | O_CLOEXEC
        ("openat", (0xFFFFFF9C, 0, 0o1), DENIED),
        ("openat", (0xFFFFFF9C, 0, 0o2), DENIED),
        ("openat", (0xFFFFFF9C, 0, 0o100), DENIED),
        ("openat", (0xFFFFFF9C, 0, 0o1000), DENIED),
        ("openat", (0xFFFFFF9C, 0, 0o2000), DENIED),
        ("openat", (0xFFFFFF9C, 0, 0o20200000 | 0o2), DENIED),  # O_TMPFILE
        ("prlimit64", (0, 7, 0, 0x7FFF_0000_1000), ALLOW),  # to ask
        ("prlimit64", (0, 7, 0x7FFF_0000_1000, 0), DENIED),
        ("prlimit64", (0, 7, 0x1_0000_0000, 0), DENIED),  # the low half of a pointer may be zero
        ("prlimit64", (0, 7, 0x1000, 0), DENIED),
    ],
)
def test_what_depends_on_the_arguments(
    call: str, arguments: tuple[int, ...], expected: int, machine: str
) -> None:
    calls = MACHINES[machine]
    assert verdict(calls, getattr(calls, call), *arguments) == expected


def test_a_call_of_another_machine_ends_the_process(machine: str) -> None:
    # Given the numbers of ``read`` and ``write`` of this one, under the audit value of others
    calls = MACHINES[machine]
    others = {one.audit for one in MACHINES.values()} - {calls.audit} | {0x40000003, 0x40000028}
    # When, Then (i386 and 32-bit ARM too)
    for audit in others:
        assert {verdict(calls, number, audit=audit) for number in calls.allowed.values()} == {KILL}


def test_the_other_abi_of_x86_64_ends_the_process() -> None:
    assert verdict(X86_64, 0x40000000) == verdict(X86_64, 0x40000000 | 520) == KILL
    assert verdict(AARCH64, 0x40000000) == DENIED


def test_every_jump_lands_inside_the_program(machine: str) -> None:
    program = instructions(MACHINES[machine])
    for at, (code, true, false, _) in enumerate(program):
        if code in {0x15, 0x35, 0x45}:
            assert max(true, false) <= 255
            assert at + 1 + max(true, false) < len(program)
    assert program[-1][0] == 0x06
    assert len(program) < 4096


@pytest.mark.parametrize(
    ("name", "calls"),
    [("x86_64", X86_64), ("AMD64", X86_64), ("aarch64", AARCH64), ("arm64", AARCH64), ("riscv64", None)],
)
def test_the_machine_chooses(name: str, calls: SystemCalls | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(systemcalls.platform, "machine", lambda: name)
    assert system_calls() is calls
    assert seccomp_available() is (calls is not None)
