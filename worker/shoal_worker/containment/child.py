"""The contained process: ``python -m shoal_worker.containment.child <channel> <memory>`` (two open handles).

It hears what to decode, confines itself, and only then opens the file.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import av.subtitles.stream  # noqa: F401 - PyAV imports it when it opens a file, too late for a confined process
import numpy as np

from shoal_worker.containment.channel import ChannelError, Message, Slots, receive, send
from shoal_worker.containment.confine import confine
from shoal_worker.containment.limits import Limits
from shoal_worker.errors import VideoError
from shoal_worker.video import Frame, VideoInfo, VideoReader


def decode(channel: int, memory: int) -> None:
    """Confine this process, decode one video into shared memory, and say how it ended."""
    task = receive(channel)
    path = Path(str(task["path"]))
    confinement = confine([path], Limits(**task["limits"]))
    send(channel, {"kind": "confined", **confinement.describe()})
    try:
        with VideoReader(path, int(task["threads"])) as reader:
            send(channel, _described(reader.info))
            damaged = _frames(channel, memory, reader)
        send(channel, {"kind": "end", "damaged": damaged})
    except VideoError as error:
        send(channel, {"kind": "unreadable", "detail": error.detail})
    except MemoryError:
        send(channel, {"kind": "memory"})


def _frames(channel: int, memory: int, reader: VideoReader) -> int:
    layout = receive(channel)
    slots = Slots(memory, int(layout["slots"]), int(layout["size"]))
    free = list(range(int(layout["slots"])))
    for frame in reader:
        if not free:
            free.extend(os.read(channel, 256))
        _send_frame(channel, slots, free.pop(), frame)
    return reader.damaged


def _send_frame(channel: int, slots: Slots, slot: int, frame: Frame) -> None:
    np.copyto(slots.array(slot, 0, frame.image.shape), frame.image)
    send(channel, {"kind": "frame", "slot": slot, "number": frame.number, "pts": frame.pts})


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
