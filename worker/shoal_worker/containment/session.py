"""One video in one contained process: what both ways of reading it share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path
from typing import Any

from shoal_worker.container import MAXIMUM_PIXELS, VideoInfo
from shoal_worker.containment.channel import ChannelError, Message, Slots, number, text
from shoal_worker.containment.limits import Limits
from shoal_worker.containment.process import DECODE, ContainedProcess, DecoderStopped
from shoal_worker.errors import VideoError

MOST = 2**62
_MEMORY = 64 * 1024 * 1024
_FEWEST_SLOTS, _MOST_SLOTS = 2, 16


class Session:
    """A video that a contained process has opened. Close it.

    ``confinement`` says which layers the kernel had (``Confinement.describe``); ``info`` describes the video.

    Raises:
        VideoError: not a video that can be read; DecoderStopped when the decoder died or was ended.
    """

    def __init__(
        self, path: Path, task: Message, limits: Limits | None = None, entry: Sequence[str] = DECODE
    ) -> None:
        if not path.is_file():
            raise VideoError(f"there is no file {path}: check the path")
        limits = limits or Limits()
        self._name = path.name
        self._process = ContainedProcess(path.name, limits.between_frames, entry)
        self._count = 0
        try:
            self._process.tell({"path": str(path.resolve()), "limits": asdict(limits), **task})
            self.confinement: dict[str, Any] = self.hear("confined")
            self.info = self._checked(self.hear("info"))
        except VideoError:
            self.close()
            raise

    @property
    def pid(self) -> int:
        """Of the contained process."""
        return self._process.pid

    def begin(self, size: int, more: Message) -> Slots:
        """Make room for pictures of ``size`` bytes and let the child start."""
        self._count = max(_FEWEST_SLOTS, min(_MOST_SLOTS, _MEMORY // size))
        self._process.fix_memory(self._count * size)
        self._process.tell({"slots": self._count, "size": size, **more})
        return Slots(self._process.memory, self._count, size)

    def hear(self, *kinds: str) -> Message:
        """The next message, of one of these kinds; raises VideoError and DecoderStopped."""
        message = self._process.hear()
        kind = message.get("kind")
        if kind == "unreadable":
            raise VideoError(text(message, "detail"))
        if kind == "memory":
            raise VideoError(f"{self._name} needs more memory to decode than is allowed: scale it down")
        if kind not in kinds:
            raise self.lied(ChannelError("a message out of turn"))
        return message

    def number(self, message: Message, key: str, low: int, high: int) -> int:
        """A number that the child may have made up; raises DecoderStopped out of its range."""
        try:
            return number(message, key, low, high)
        except ChannelError as error:
            raise self.lied(error) from error

    def slot(self, message: Message) -> int:
        """The slot that a message speaks of."""
        return self.number(message, "slot", 0, self._count - 1)

    def give_back(self, slot: int) -> None:
        """The child may fill this slot again."""
        self._process.give_back(slot)

    def lied(self, error: ChannelError) -> DecoderStopped:
        """Ends the child; what to raise."""
        return self._process.lied(error)

    def close(self) -> None:
        """End the child and free the memory."""
        self._process.close()

    def _checked(self, message: Message) -> VideoInfo:
        try:
            rate = message["rate"]
            fraction = Fraction(_whole(rate[0]), _whole(rate[1]))
            width = number(message, "width", 1, MAXIMUM_PIXELS)
            height = number(message, "height", 1, MAXIMUM_PIXELS // width)
            expected = message["expected_frames"]
            if expected is not None:
                expected = number(message, "expected_frames", 0, MOST)
            start = _time(fraction, message["start_seconds"])
        except ChannelError as error:
            raise self.lied(error) from error
        except (KeyError, TypeError, IndexError, ZeroDivisionError) as error:
            raise self.lied(ChannelError("a description without sense")) from error
        return VideoInfo(self._name, width, height, fraction, text(message, "codec"), expected, start)


def _whole(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ChannelError("a rate that is no number")
    return value


def _time(rate: Fraction, start: object) -> float:
    if rate <= 0 or not isinstance(start, float) or not math.isfinite(start):
        raise ChannelError("an impossible time")
    return start
