"""A video read by a contained process: the interface and the frames of ``shoal_worker.video.VideoReader``."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path
from typing import Any

from shoal_worker.containment.channel import ChannelError, Message, Slots, number, text
from shoal_worker.containment.limits import Limits
from shoal_worker.containment.process import DECODE, ContainedProcess
from shoal_worker.errors import VideoError
from shoal_worker.video import MAXIMUM_PIXELS, Frame, VideoInfo

_MOST = 2**62
_SLOT_MEMORY = 64 * 1024 * 1024
_FEWEST, _MOST_SLOTS = 2, 8


class ContainedReader:
    """An open video. Iterate over it once; ``damaged`` then counts the packets that gave no frame.

    ``confinement`` says which layers the kernel had (``Confinement.describe``).

    Raises:
        VideoError: not a video that can be read; DecoderStopped when the decoder died or was ended.
    """

    def __init__(
        self, path: Path, threads: int = 0, limits: Limits | None = None, entry: Sequence[str] = DECODE
    ) -> None:
        if not path.is_file():
            raise VideoError(f"there is no file {path}: check the path")
        limits = limits or Limits()
        self._name = path.name
        self._process = ContainedProcess(path.name, limits.between_frames, entry)
        self.damaged = 0
        try:
            task = {"path": str(path.resolve()), "threads": threads, "limits": asdict(limits)}
            self._process.tell(task)
            self.confinement: dict[str, Any] = self._hear("confined")
            self.info = self._checked(self._hear("info"))
        except VideoError:
            self._process.close()
            raise

    def __enter__(self) -> ContainedReader:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.close()

    def __iter__(self) -> Iterator[Frame]:
        slots, count = self._prepare()
        shown = 0
        while (message := self._hear("frame", "end"))["kind"] == "frame":
            shown += 1
            try:
                slot = number(message, "slot", 0, count - 1)
                number(message, "number", shown, shown)
                pts = None if message.get("pts") is None else number(message, "pts", -_MOST, _MOST)
            except ChannelError as error:
                raise self._process.lied(error) from error
            # A copy: the child may change the slot at any time.
            image = slots.array(slot, 0, (self.info.height, self.info.width, 3)).copy()
            self._process.give_back(slot)
            yield Frame(shown, pts, image)
        self.damaged = self._number(message, "damaged", 0, _MOST)

    def _prepare(self) -> tuple[Slots, int]:
        size = self.info.width * self.info.height * 3
        count = max(_FEWEST, min(_MOST_SLOTS, _SLOT_MEMORY // size))
        self._process.fix_memory(count * size)
        self._process.tell({"slots": count, "size": size})
        return Slots(self._process.memory, count, size), count

    def _hear(self, *kinds: str) -> Message:
        message = self._process.hear()
        kind = message.get("kind")
        if kind == "unreadable":
            raise VideoError(text(message, "detail"))
        if kind == "memory":
            raise VideoError(f"{self._name} needs more memory to decode than is allowed: scale it down")
        if kind not in kinds:
            raise self._process.lied(ChannelError("a message out of turn"))
        return message

    def _checked(self, message: Message) -> VideoInfo:
        try:
            rate = message["rate"]
            fraction = Fraction(_whole(rate[0]), _whole(rate[1]))
            width = number(message, "width", 1, MAXIMUM_PIXELS)
            height = number(message, "height", 1, MAXIMUM_PIXELS // width)
            start = message["start_seconds"]
            if fraction <= 0 or not isinstance(start, float) or not math.isfinite(start):
                raise ChannelError("an impossible time")  # noqa: TRY301 - handled with the others below
            expected = message["expected_frames"]
            if expected is not None:
                expected = number(message, "expected_frames", 0, _MOST)
            return VideoInfo(self._name, width, height, fraction, text(message, "codec"), expected, start)
        except (ChannelError, KeyError, TypeError, IndexError, ZeroDivisionError) as error:
            nonsense = (
                error if isinstance(error, ChannelError) else ChannelError("a description without sense")
            )
            raise self._process.lied(nonsense) from error

    def _number(self, message: Message, key: str, low: int, high: int) -> int:
        try:
            return number(message, key, low, high)
        except ChannelError as error:
            raise self._process.lied(error) from error


def _whole(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ChannelError("a rate that is no number")
    return value
