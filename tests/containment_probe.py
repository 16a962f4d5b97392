"""A decoder that was taken over: it confines itself as the real one does, then tries to do harm and tells.

``python containment_probe.py <what> <a folder> <a detail> <channel> <memory>``.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from shoal_worker.containment.channel import receive, send
from shoal_worker.containment.confine import confine
from shoal_worker.containment.limits import Limits

CHANNEL, MEMORY = int(sys.argv[-2]), int(sys.argv[-1])
FOLDER = Path(sys.argv[2])
ENDLESS = 1 << 40


def attempt(*actions: Callable[[], object]) -> None:
    """Try everything; say what worked."""
    worked = []
    for position, action in enumerate(actions):
        try:
            worked.append(f"{position}: {action()!r}"[:100])
        except (OSError, MemoryError, ValueError, subprocess.SubprocessError):
            continue
    send(CHANNEL, {"kind": "tried", "worked": worked})


def read_secret() -> None:
    found = [name for name in os.environ if "AWS" in name or "SHOAL" in name or "ECS" in name]
    parent = Path(f"/proc/{os.getppid()}/environ")
    attempt(
        *(lambda name=name: os.environ[name] for name in found),
        parent.read_bytes,
        (FOLDER / "secret").read_text,
        lambda: list(FOLDER.iterdir()),
        lambda: os.open(FOLDER / "secret", os.O_RDONLY),
    )


def open_socket() -> None:
    port = int(sys.argv[3])
    attempt(
        lambda: socket.create_connection(("127.0.0.1", port), 2),
        lambda: socket.socket(socket.AF_UNIX),
        lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM),
        lambda: socket.socketpair(),
    )


def write_outside() -> None:
    mine = FOLDER / "mine"
    attempt(
        lambda: mine.write_text("x"),
        lambda: os.open(FOLDER / "video", os.O_RDWR),
        lambda: os.open(FOLDER / "video", os.O_RDONLY | os.O_TRUNC),
        lambda: os.open(FOLDER, os.O_RDWR | os.O_TMPFILE),
        lambda: os.truncate(FOLDER / "video", 0),
        mine.mkdir,
        (FOLDER / "video").unlink,
        lambda: (FOLDER / "video").rename(mine),
        lambda: mine.symlink_to("/etc/passwd"),
        lambda: mine.hardlink_to(FOLDER / "video"),
        lambda: (FOLDER / "video").chmod(0o777),
    )


def three_gib() -> None:
    attempt(lambda: len(bytearray(3 * 1024**3)), lambda: len([bytearray(64 * 1024**2) for _ in range(48)]))


def fill_disk() -> None:
    attempt(
        lambda: os.open(FOLDER / "big", os.O_WRONLY | os.O_CREAT),
        lambda: os.posix_fallocate(MEMORY, 0, ENDLESS),
        lambda: os.ftruncate(MEMORY, ENDLESS),
        lambda: os.write(MEMORY, bytes(1024)),
        lambda: os.memfd_create("more"),
    )


def spin() -> None:
    while True:
        pass


def passwd() -> None:
    attempt(
        Path("/etc/passwd").read_text,
        Path("/proc/self/root/etc/passwd").read_text,
        lambda: os.open("/etc/passwd", os.O_RDONLY),
        lambda: os.open("/", os.O_RDONLY | os.O_DIRECTORY),
    )


def other_processes() -> None:
    attempt(
        os.fork,
        lambda: subprocess.run(["/bin/true"], check=True),
        lambda: os.kill(os.getppid(), 0),
        lambda: os.kill(os.getppid(), signal.SIGKILL),
        lambda: os.setuid(0),
        lambda: os.chroot("/"),
        lambda: os.execv("/bin/true", ["true"]),
    )


def crash() -> None:
    import ctypes

    ctypes.string_at(0)


def lie() -> None:
    info = {"kind": "info", "width": 64, "height": 64, "codec": "h264", "rate": [30, 1],
            "expected_frames": 9, "start_seconds": 0.0}  # fmt: skip
    frame = {"kind": "frame", "slot": 0, "number": 1, "pts": 0}
    lies = {
        "slot": (info, frame | {"slot": 10**9}),
        "negative": (info, frame | {"slot": -1}),
        "number": (info, frame | {"number": 7}),
        "pts": (info, frame | {"pts": "soon"}),
        "size": (info | {"width": 2**40},),
        "rate": (info | {"rate": [1, 0]},),
        "time": (info | {"start_seconds": "x"},),
        "kind": ({"kind": "frame"},),
        "end": (info, {"kind": "end", "damaged": -5}),
        "depth": (info, {"kind": "frame", "slot": [[[[]]]]}),
    }
    if sys.argv[3] == "long":
        os.write(CHANNEL, b"\xff\xff\xff\xff")
        return
    if sys.argv[3] == "text":
        os.write(CHANNEL, b"\x03\x00\x00\x00abc")
        return
    for message in lies[sys.argv[3]]:
        send(CHANNEL, message)


PROBES = (read_secret, open_socket, write_outside, three_gib, fill_disk, spin, passwd, other_processes,
          crash, lie)  # fmt: skip


def main() -> None:
    import ctypes  # noqa: F401 - to be imported while it still can be

    task = receive(CHANNEL)
    confinement = confine([Path(task["path"])], Limits(**task["limits"]))
    send(CHANNEL, {"kind": "confined", **confinement.describe()})
    next(probe for probe in PROBES if probe.__name__ == sys.argv[1])()


if __name__ == "__main__":
    main()
