"""How a contained process and its parent talk: JSON over a socket pair, pictures in shared memory.

The parent believes nothing: lengths, kinds and numbers are checked before they are used, and the memory is
sealed, so that the child cannot shrink it under the parent.
"""

from __future__ import annotations

import fcntl
import json
import mmap
import os
import select
import struct
import time
from typing import Any

import numpy as np
import numpy.typing as npt

LONGEST_MESSAGE = 64 * 1024
LONGEST_TEXT = 500
_LENGTH = struct.Struct("=I")

Message = dict[str, Any]


class ChannelError(Exception):
    """The other side does not speak the protocol, or is gone (``gone``), or is silent (``silent``)."""

    def __init__(self, reason: str, *, gone: bool = False, silent: bool = False) -> None:
        super().__init__(reason)
        self.gone, self.silent = gone, silent


def send(handle: int, message: Message) -> None:
    """Write one message; raises ChannelError when the other side is gone."""
    data = json.dumps(message).encode()
    view = memoryview(_LENGTH.pack(len(data)) + data)
    try:
        while view:
            view = view[os.write(handle, view) :]
    except OSError as error:
        raise ChannelError("the other side is gone", gone=True) from error


def receive(handle: int, seconds: float | None = None) -> Message:
    """Read one message, waiting at most ``seconds``.

    Raises:
        ChannelError: silence, the end, or something that is no message.
    """
    deadline = None if seconds is None else time.monotonic() + seconds
    (length,) = _LENGTH.unpack(_exactly(handle, _LENGTH.size, deadline))
    if length > LONGEST_MESSAGE:
        raise ChannelError(f"a message of {length} bytes")
    try:
        message = json.loads(_exactly(handle, length, deadline))
    except (ValueError, RecursionError) as error:
        raise ChannelError("a message that is not JSON") from error
    if not isinstance(message, dict):
        raise ChannelError("a message that is not an object")
    return message


def _exactly(handle: int, size: int, deadline: float | None) -> bytes:
    parts = b""
    while len(parts) < size:
        if deadline is not None:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([handle], [], [], left)[0]:
                raise ChannelError("silence", silent=True)
        try:
            part = os.read(handle, size - len(parts))
        except ConnectionError as error:
            raise ChannelError("the other side is gone", gone=True) from error
        if not part:
            raise ChannelError("the other side is gone", gone=True)
        parts += part
    return parts


def text(message: Message, key: str) -> str:
    """A text of the other side, cut short and without control characters."""
    value = message.get(key)
    cut = value[:LONGEST_TEXT] if isinstance(value, str) else ""
    return "".join(letter if letter.isprintable() else "?" for letter in cut)


def number(message: Message, key: str, low: int, high: int) -> int:
    """A whole number of the other side in its range; raises ChannelError."""
    value = message.get(key)
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ChannelError(f"{key} is not a number from {low} to {high}")
    return value


class Slots:
    """Shared memory in ``count`` slots of ``size`` bytes each, over a file that only memory holds (memfd)."""

    def __init__(self, handle: int, count: int, size: int) -> None:
        self._size, self._memory = size, mmap.mmap(handle, count * size)

    def array(self, slot: int, offset: int, shape: tuple[int, ...]) -> npt.NDArray[np.uint8]:
        """The bytes of a slot from ``offset`` as an array; shared, not a copy."""
        whole = np.frombuffer(self._memory, np.uint8, int(np.prod(shape)), slot * self._size + offset)
        return whole.reshape(shape)

    def forget(self) -> None:
        """Give what the slots hold back to the kernel; they read as zeros (madvise(2), MADV_REMOVE)."""
        self._memory.madvise(mmap.MADV_REMOVE)


def create_memory() -> int:
    """A handle of empty shared memory; :func:`resize` gives it its size."""
    return os.memfd_create("shoal-frames", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)


def resize(handle: int, size: int) -> None:
    """Fix the size for good."""
    os.ftruncate(handle, size)
    seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
    fcntl.fcntl(handle, fcntl.F_ADD_SEALS, seals)
