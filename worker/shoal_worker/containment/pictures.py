"""Pictures decoded by warm contained processes: the HTTP face's counterpart of a contained video.

A picture takes milliseconds and a process a third of a second to start, so a process decodes many. What takes
one over can lie about later pictures, but not leave, and not for long: each is replaced after
``PICTURES_EACH``.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import asdict, dataclass, field, replace
from queue import SimpleQueue

import numpy as np

from shoal_worker.containment.channel import ChannelError, Slots, number, text
from shoal_worker.containment.limits import Limits
from shoal_worker.containment.process import ContainedProcess, DecoderStopped
from shoal_worker.errors import PictureError
from shoal_worker.frames import Image

DECODE_PICTURES = ("-m", "shoal_worker.containment.picturechild")
PICTURES_EACH = 1000
PICTURE_LIMITS = replace(Limits(), between_frames=10.0, cpu_seconds=3600)
"""``between_frames``: what one picture may take."""
START_SECONDS = 30.0
"""What a process may take to start, on a busy machine too."""
_LARGE = 8 * 1024 * 1024
"""What a picture leaves in the shared memory is given back to the kernel if it is more than this."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """``most_bytes`` of an encoded picture, ``most_pixels`` of a decoded one."""

    most_bytes: int
    most_pixels: int

    @property
    def memory_bytes(self) -> int:
        """Room for both."""
        return self.most_bytes + 3 * self.most_pixels


@dataclass(frozen=True, slots=True)
class _Task:
    data: bytes
    image: Future[Image] = field(default_factory=Future)


class PictureDecoders:
    """``count`` processes, each with a thread of ours; for any number of threads.

    Each process is started by a thread that lives as long as it, because it dies with that thread (prctl(2),
    PR_SET_PDEATHSIG).
    """

    def __init__(
        self, count: int, bounds: Bounds, limits: Limits = PICTURE_LIMITS,
        entry: Sequence[str] = DECODE_PICTURES,
    ) -> None:  # fmt: skip
        self._tasks: SimpleQueue[_Task | None] = SimpleQueue()
        self._threads = [
            threading.Thread(target=self._work, args=(_Decoder(bounds, limits, entry),), daemon=True)
            for _ in range(count)
        ]
        for thread in self._threads:
            thread.start()

    def decode(self, data: bytes) -> Image:
        """The picture as RGB, shape (height, width, 3), uint8; ``data`` and pixels within the bounds.

        Raises:
            PictureError: it is damaged, or its decoder died of it or was ended.
        """
        task = _Task(data)
        self._tasks.put(task)
        return task.image.result()

    def close(self) -> None:
        """End every process."""
        for _ in self._threads:
            self._tasks.put(None)
        for thread in self._threads:
            thread.join()

    def _work(self, decoder: _Decoder) -> None:
        # One that cannot start tells it to whoever asks for a picture.
        with contextlib.suppress(DecoderStopped):
            decoder.start()
        while (task := self._tasks.get()) is not None:
            try:
                task.image.set_result(decoder.decode(task.data))
            except Exception as error:  # noqa: BLE001 - it is raised again in the thread that waits
                task.image.set_exception(error)
        decoder.close()


class _Decoder:
    """One process after another; of one thread."""

    def __init__(self, bounds: Bounds, limits: Limits, entry: Sequence[str]) -> None:
        self._bounds, self._limits, self._entry = bounds, limits, entry
        self._process: ContainedProcess | None = None
        self._slots: Slots | None = None
        self._served = 0

    def start(self) -> tuple[ContainedProcess, Slots]:
        """The process that runs, or a new one.

        Raises:
            DecoderStopped: it cannot confine itself.
        """
        if self._process is not None and self._slots is not None:
            return self._process, self._slots
        process = ContainedProcess("an image", self._limits.between_frames, self._entry)
        self._process, self._served = process, 0
        try:
            process.fix_memory(self._bounds.memory_bytes)
            process.tell(asdict(self._bounds) | {"limits": asdict(self._limits)})
            if process.hear(START_SECONDS).get("kind") != "confined":
                raise process.lied(ChannelError("a message out of turn"))
        except DecoderStopped:
            self.close()
            raise
        self._slots = Slots(process.memory, 1, self._bounds.memory_bytes)
        return process, self._slots

    def decode(self, data: bytes) -> Image:
        """See PictureDecoders. A process that served others may have died of them: it is tried once more."""
        if self._served >= PICTURES_EACH:
            self.close()
        first = self._served == 0
        try:
            return self._decoded(data)
        except DecoderStopped as stopped:
            self.close()
            if first or stopped.silent:
                raise PictureError(
                    "the image is damaged or hostile: its decoder died of it or was ended; write it again"
                ) from stopped
        return self.decode(data)

    def close(self) -> None:
        """End the process, whatever it does."""
        if self._process is not None:
            self._process.close()
        self._process = self._slots = None
        self._served = 0

    def _decoded(self, data: bytes) -> Image:
        process, slots = self.start()
        self._served += 1
        np.copyto(slots.array(0, 0, (len(data),)), np.frombuffer(data, np.uint8))
        process.tell({"length": len(data)})
        message = process.hear()
        if message.get("kind") == "damaged":
            raise PictureError(text(message, "detail"))
        if message.get("kind") != "picture":
            raise process.lied(ChannelError("a message out of turn"))
        try:
            width = number(message, "width", 1, self._bounds.most_pixels)
            height = number(message, "height", 1, self._bounds.most_pixels // width)
        except ChannelError as error:
            raise process.lied(error) from error
        # A copy: the process may change the memory at any time.
        image: Image = slots.array(0, self._bounds.most_bytes, (height, width, 3)).copy()
        if len(data) + image.nbytes > _LARGE:
            slots.forget()
        return image
