"""The contained process: ``python -m shoal_worker.containment.child <channel> <memory>`` (two open handles).

It hears what to decode, confines itself, and only then opens the file.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import av.subtitles.stream  # noqa: F401 - PyAV imports it when it opens a file, too late for a confined process
import numpy as np

from shoal_worker.container import VideoInfo
from shoal_worker.containment.channel import ChannelError, Message, Slots, receive, send
from shoal_worker.containment.confine import confine
from shoal_worker.containment.limits import Limits
from shoal_worker.errors import VideoError
from shoal_worker.frames import Image
from shoal_worker.prepare import Decoding
from shoal_worker.preprocess import Letterbox
from shoal_worker.video import VideoReader, probe_video


class Output:
    """Pictures on their way to the parent, each in a slot that the parent gave back."""

    def __init__(self, channel: int, memory: int) -> None:
        self._channel = channel
        self.layout = receive(channel)
        count = int(self.layout["slots"])
        self._size = int(self.layout["size"])
        self._slots, self._free = Slots(memory, count, self._size), list(range(count))

    def send(self, message: Message, *images: Image) -> None:
        """One frame: its pictures one behind the other."""
        if not self._free:
            self._free.extend(os.read(self._channel, 256))
        slot, offset = self._free.pop(), 0
        for image in images:
            np.copyto(self._slots.array(slot, offset, image.shape), image)
            offset += image.nbytes
        send(self._channel, {"kind": "frame", "slot": slot, **message})

    def holds(self, *images: Image) -> bool:
        """Whether one slot takes these."""
        return sum(image.nbytes for image in images) <= self._size


def decode(channel: int, memory: int) -> None:
    """Confine this process, decode one video into shared memory, and say how it ended."""
    task = receive(channel)
    path = Path(str(task["path"]))
    confinement = confine([path], Limits(**task["limits"]))
    send(channel, {"kind": "confined", **confinement.describe()})
    try:
        work = _whole_frames if task["task"] == "frames" else _prepared
        for message in work(path, task, channel, memory):
            send(channel, message)
    except VideoError as error:
        send(channel, {"kind": "unreadable", "detail": error.detail})
    except MemoryError:
        send(channel, {"kind": "memory"})


def _whole_frames(path: Path, task: Message, channel: int, memory: int) -> Iterator[Message]:
    with VideoReader(path, int(task["threads"])) as reader:
        yield _described(reader.info)
        output = Output(channel, memory)
        for frame in reader:
            output.send({"number": frame.number, "pts": frame.pts}, frame.image)
        yield {"kind": "end", "damaged": reader.damaged}


def _prepared(path: Path, task: Message, channel: int, memory: int) -> Iterator[Message]:
    yield _described(probe_video(path))
    output = Output(channel, memory)
    height, width = output.layout["fit"]
    stretch = bool(output.layout["stretch"])
    decoding = Decoding(
        path, lambda frame: Letterbox(frame, (height, width), stretch=stretch),
        decoders=int(task["decoders"]), camera=bool(task["camera"]), whole=bool(task["whole"]),
        skip=int(task["skip"]),
        skipping=lambda: send(channel, {"kind": "skipping"}),
    )  # fmt: skip
    for prepared in decoding:
        pictures = [prepared.picture] if prepared.whole is None else [prepared.picture, prepared.whole]
        if prepared.thumbnail is None or not output.holds(*pictures, prepared.thumbnail[0]):
            output.send({}, *pictures)
            continue
        grey, factor = prepared.thumbnail
        shape = {"thumbnail": factor, "height": grey.shape[0], "width": grey.shape[1]}
        output.send(shape, *pictures, grey)
    yield {"kind": "end", "damaged": decoding.damaged, "decoder": decoding.decoder}


def _described(info: VideoInfo) -> Message:
    return {
        "kind": "info", "width": info.width, "height": info.height, "codec": info.codec,
        "rate": [info.rate.numerator, info.rate.denominator],
        "expected_frames": info.expected_frames, "start_seconds": info.start_seconds,
    }  # fmt: skip


def main() -> int:
    """0 when it was said how the video ended, 1 when the parent was not there to hear it."""
    try:
        decode(int(sys.argv[1]), int(sys.argv[2]))
    except ChannelError:
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
