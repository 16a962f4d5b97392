"""The decoding stage in a contained process: interface and pictures of ``shoal_worker.prepare.Decoding``.

Only what the network needs crosses the boundary, a tenth of a frame.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path

from shoal_worker.containment.channel import ChannelError, Message, Slots, text
from shoal_worker.containment.limits import Limits
from shoal_worker.containment.session import MOST, Session
from shoal_worker.frames import Image
from shoal_worker.motion import WIDTH
from shoal_worker.prepare import Prepared
from shoal_worker.preprocess import Letterbox, whole_size

THUMBNAIL_BYTES = WIDTH * 2048
"""A thumbnail is at most 480 wide; of a frame more than four times as high as wide the camera may stay
unmeasured."""


class ContainedDecoding:
    """A video being decoded and scaled elsewhere. Iterate over it once; that ends the process.

    Args:
        path, letterbox, decoders, camera, whole, skip: as of ``Decoding``; the processor decodes.

    Raises:
        VideoError: the file cannot be decoded; DecoderStopped when the decoder died or was ended.
    """

    def __init__(
        self, path: Path, letterbox: Callable[[tuple[int, int]], Letterbox], *, decoders: int = 1,
        camera: bool = False, whole: bool = False, skip: int = 0, limits: Limits | None = None,
    ) -> None:  # fmt: skip
        task: Message = {
            "task": "prepared", "decoders": decoders, "camera": camera, "whole": whole, "skip": skip,
        }  # fmt: skip
        self.session = Session(path, task, limits)
        self.info = self.session.info
        size = self.info.height, self.info.width
        self.letterbox = letterbox(size)
        self._whole = (*whole_size(size), 3) if whole else None
        self.frames, self.damaged = skip, 0
        self.decoder = self.info.codec

    def __iter__(self) -> Iterator[Prepared]:
        """Every frame, in the order shown; then ``frames``, ``damaged`` and ``decoder`` are known."""
        session = self.session
        try:
            slots = session.begin(self._picture_bytes + self._whole_bytes + THUMBNAIL_BYTES, self._fit())
            while (message := session.hear("frame", "skipping", "end"))["kind"] != "end":
                if message["kind"] == "skipping":
                    continue
                slot = session.slot(message)
                prepared = self._copied(slots, slot, message)
                session.give_back(slot)
                self.frames += 1
                yield prepared
            self.damaged, self.decoder = session.number(message, "damaged", 0, MOST), text(message, "decoder")
        finally:
            session.close()

    @property
    def _picture_bytes(self) -> int:
        return self.letterbox.size[0] * self.letterbox.size[1] * 3

    @property
    def _whole_bytes(self) -> int:
        return math.prod(self._whole) if self._whole else 0

    def _fit(self) -> Message:
        """The letterbox in numbers: one without a border is a stretched one."""
        return {"fit": self.letterbox.size, "stretch": self.letterbox.inner == self.letterbox.size}

    def _copied(self, slots: Slots, slot: int, message: Message) -> Prepared:
        """Copies: the child may change the slot at any time."""
        picture: Image = slots.array(slot, 0, (*self.letterbox.size, 3)).copy()
        whole = slots.array(slot, self._picture_bytes, self._whole).copy() if self._whole else None
        if message.get("thumbnail") is None:
            return Prepared(picture, None, whole)
        width = self.session.number(message, "width", 1, WIDTH)
        height = self.session.number(message, "height", 1, THUMBNAIL_BYTES // width)
        factor = message["thumbnail"]
        if not isinstance(factor, float) or not math.isfinite(factor) or factor < 1:
            raise self.session.lied(ChannelError("an impossible thumbnail"))
        offset = self._picture_bytes + self._whole_bytes
        return Prepared(picture, (slots.array(slot, offset, (height, width)).copy(), factor), whole)
