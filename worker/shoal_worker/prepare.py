"""The decoding stage: from a file to small pictures in the order shown, which are all that later stages need.

A full frame never leaves the decoder's thread: what waits in queues is the network's input and a thumbnail, a
tenth of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

from shoal_worker.container import VideoInfo
from shoal_worker.frames import Image
from shoal_worker.motion import Thumbnails
from shoal_worker.planes import Scaler, colours, luma, packed
from shoal_worker.preprocess import Letterbox, whole_size
from shoal_worker.spans import Plan, Span, in_order, plan_spans
from shoal_worker.video import VideoReader

FRAMES_AHEAD = 8
SKIPPED_AT_ONCE = 32
KEPT_AHEAD = 512 * 1024**2
"""Bytes of frames that wait, where several decoders share a file."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """One frame on its way to the network: ``picture`` (height, width, 3) uint8 RGB of the input's size, or,
    for a device that scales, the decoded frame as NV12 (``planes.packed``) with ``colours`` to turn it into
    RGB. Where the camera is measured also ``thumbnail``, grey, with its factor (see ``motion.thumbnail``);
    where appearance is on ``whole``, the frame that crops are taken from."""

    picture: Image
    thumbnail: tuple[Image, float] | None
    whole: Image | None = None
    colours: npt.NDArray[np.float32] | None = None


class Preparing:
    """Turns one decoder's frames into what later stages need, by way of buffers that are kept; one thread at
    a time. The arguments are those of ``Decoding``, ``whole`` as (height, width)."""

    def __init__(
        self, letterbox: Letterbox, whole: tuple[int, int] | None, *, camera: bool, unscaled: bool
    ) -> None:
        self._letterbox, self._unscaled = letterbox, unscaled
        self._scaled, self._whole = Scaler(letterbox.inner), Scaler(whole) if whole else None
        self._thumbnails = Thumbnails() if camera else None

    def __call__(self, frame: av.VideoFrame) -> Prepared:
        """A decoded frame."""
        picture, to_rgb = self._pictured(frame)
        whole = self._whole(frame) if self._whole else None
        if self._thumbnails is None:
            return Prepared(picture, None, whole, to_rgb)
        grey = luma(frame)
        small = self._thumbnails(frame.to_ndarray(format="rgb24") if grey is None else grey)
        return Prepared(picture, small, whole, to_rgb)

    def _pictured(self, frame: av.VideoFrame) -> tuple[Image, npt.NDArray[np.float32] | None]:
        whole = packed(frame) if self._unscaled else None
        if whole is not None and (frame.height, frame.width) == self._letterbox.frame:
            return whole, colours(frame)
        picture = self._letterbox.empty()
        self._scaled(frame, self._letterbox.inside(picture))
        return picture, None


class Decoding:
    """A video being decoded and scaled, by one decoder or by several side by side.

    Args:
        path: the file.
        letterbox: from a frame's size to how it is fitted, asked once.
        decoders: how many work on the file at once, where it can be cut.
        camera: whether thumbnails are wanted.
        hardware: see ``hardware.accelerator``.
        whole: whether whole frames are wanted.
        unscaled: whether the network's device scales: frames are handed on as they are, where it can.
        skip: frames at the start that are decoded and not handed on.
        skipping: called now and then while frames are skipped.

    Raises:
        VideoError: the file cannot be decoded.
    """

    def __init__(
        self, path: Path, letterbox: Callable[[tuple[int, int]], Letterbox], *, decoders: int = 1,
        camera: bool = False, hardware: str | None = None, skip: int = 0,
        whole: bool = False, unscaled: bool = False, skipping: Callable[[], None] = lambda: None,
    ) -> None:  # fmt: skip
        self._skip, self._skipping, self._unscaled = skip, skipping, unscaled
        self._path, self._hardware, self._camera, self._decoders = path, hardware, camera, decoders
        # Without the hardware: a context on a card takes longer to open than to read what the file says.
        with VideoReader(path) as reader:
            self.info: VideoInfo = reader.info
        self._plan: Plan = plan_spans(path, decoders)
        size = self.info.height, self.info.width
        self._letterbox, self._whole = letterbox(size), whole_size(size) if whole else None
        self.frames = self.damaged = 0
        self.decoder = self.info.codec

    @property
    def letterbox(self) -> Letterbox:
        """How the frames are fitted into the input."""
        return self._letterbox

    def __iter__(self) -> Iterator[Prepared]:
        """Every frame, in the order shown. ``frames`` counts them, and at the end ``damaged`` the packets
        that gave none."""
        if len(self._plan.spans) == 1:
            yield from self._serial()
        else:
            yield from self._split()

    def _serial(self) -> Iterator[Prepared]:
        prepared = self._preparing()
        with VideoReader(self._path, hardware=self._hardware) as reader:
            for frame in reader.decoded():
                self.frames += 1
                if self._wanted():
                    yield prepared(frame)
            self.damaged, self.decoder = reader.damaged, reader.decoder

    def _split(self) -> Iterator[Prepared]:
        sources = [partial(self._span, span) for span in self._plan.spans]
        for prepared in in_order(sources, self._decoders, self._ahead()):
            self.frames += 1
            if self._wanted():
                yield prepared
        self.damaged = max(0, (self._plan.packets or 0) - self.frames)

    def _ahead(self) -> int:
        """Frames that one of several decoders may be ahead: all but the first wait for their turn, so what
        they can keep is what they gain."""
        rows, columns = (self.info.height, self.info.width) if self._unscaled else self._letterbox.size
        each = rows * columns * 3 // (2 if self._unscaled else 1)
        return max(FRAMES_AHEAD, KEPT_AHEAD // (each * self._decoders))

    def _wanted(self) -> bool:
        if self.frames > self._skip:
            return True
        if self.frames % SKIPPED_AT_ONCE == 0:
            self._skipping()
        return False

    def _span(self, span: Span) -> Iterator[Prepared]:
        prepared = self._preparing()
        with VideoReader(self._path, 1, self._hardware) as reader:
            for frame in reader.between(span.first, span.end):
                yield prepared(frame)
            self.decoder = f"{reader.decoder} x{self._decoders}"

    def _preparing(self) -> Preparing:
        return Preparing(self._letterbox, self._whole, camera=self._camera, unscaled=self._unscaled)
