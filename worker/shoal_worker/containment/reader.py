"""A video read by a contained process: the interface and the frames of ``shoal_worker.video.VideoReader``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from shoal_worker.containment.limits import Limits
from shoal_worker.containment.process import DECODE
from shoal_worker.containment.session import MOST, Session
from shoal_worker.video import Frame


class ContainedReader:
    """An open video. Iterate over it once; ``damaged`` then counts the packets that gave no frame.

    Raises:
        VideoError: not a video that can be read; DecoderStopped when the decoder died or was ended.
    """

    def __init__(
        self, path: Path, threads: int = 0, limits: Limits | None = None, entry: Sequence[str] = DECODE
    ) -> None:
        self.session = Session(path, {"task": "frames", "threads": threads}, limits, entry)
        self.info = self.session.info
        self.damaged = 0

    def __enter__(self) -> ContainedReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.session.close()

    def __iter__(self) -> Iterator[Frame]:
        shape = (self.info.height, self.info.width, 3)
        session, shown = self.session, 0
        slots = session.begin(shape[0] * shape[1] * 3, {})
        while (message := session.hear("frame", "end"))["kind"] == "frame":
            shown = session.number(message, "number", shown + 1, shown + 1)
            pts = None if message.get("pts") is None else session.number(message, "pts", -MOST, MOST)
            slot = session.slot(message)
            # A copy: the child may change the slot at any time.
            image = slots.array(slot, 0, shape).copy()
            session.give_back(slot)
            yield Frame(shown, pts, image)
        self.damaged = session.number(message, "damaged", 0, MOST)
