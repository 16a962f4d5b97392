"""Reading a video: exact frame numbers in decode order, the time stamps kept, errors that say what is wrong.

Frame numbers are counted, never computed from time: the clips of deep-sea cameras start at any time stamp,
and a reader that trusts duration times frame rate numbers them wrongly.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import av
import numpy as np

from shoal_worker.container import VideoInfo, described, open_container
from shoal_worker.errors import VideoError
from shoal_worker.frames import Image
from shoal_worker.hardware import decoder_name, nvcodec_card
from shoal_worker.nvcodec import CardRefused, card_frames, takes


@dataclass(frozen=True, slots=True)
class Frame:
    """One decoded picture: ``number`` from 1, ``pts`` in stream units, ``image`` (height, width, 3) uint8
    RGB."""

    number: int
    pts: int | None
    image: Image


class Reader(Protocol):
    """An open video, decoded in this process or in another: iterate over it once."""

    @property
    def info(self) -> VideoInfo:
        """What the container says."""

    def __enter__(self) -> Reader: ...

    def __exit__(self, *_: object) -> None: ...

    def __iter__(self) -> Iterator[Frame]: ...


class VideoReader:
    """An open video. Iterate over it once; ``damaged`` then counts the packets that gave no frame.

    A frame that the decoder gave up has no number: those after it move up by one. ``hardware`` is None for
    the processor or a device of ``hardware.accelerator``; ``threads`` 0 leaves their number to the decoder.

    Raises:
        VideoError: no such file, not a video, no video stream, or no decoder for it.
    """

    def __init__(self, path: Path, threads: int = 0, hardware: str | None = None) -> None:
        self._path, self._threads, self._hardware = path, threads, hardware
        self._card = nvcodec_card(hardware)
        self._broken = self._read = self._shown = 0
        # Not with FFmpeg's accelerator in reserve: the stream would then call its pictures the card's.
        self._open(None if self._card is not None else hardware)
        try:
            self.info = described(path, self._container, self._stream)
        except VideoError:
            self._container.close()
            raise

    def _open(self, hardware: str | None) -> None:
        self._container = open_container(self._path, hardware)
        if not self._container.streams.video:
            self._container.close()
            raise VideoError(f"{self._path.name} has no video stream: send a file with a picture track")
        self._stream = self._container.streams.video[0]
        if self._stream.codec_context is None:
            self._container.close()
            raise VideoError(
                f"no decoder here reads {self._path.name}: convert it with ffmpeg to H.264 or HEVC"
            )
        self._stream.thread_type = "AUTO"
        self._stream.codec_context.thread_count = self._threads

    def __enter__(self) -> VideoReader:
        return self

    def __exit__(self, *_: object) -> None:
        self._container.close()

    def __iter__(self) -> Iterator[Frame]:
        for number, decoded in enumerate(self.decoded(), 1):
            image = decoded.to_ndarray(format="rgb24", width=self.info.width, height=self.info.height)
            yield Frame(number, decoded.pts, np.ascontiguousarray(image))

    def decoded(self) -> Iterator[av.VideoFrame]:
        """The frames as the decoder answers them, in the order shown; raises VideoError where there is
        none."""
        for frame in self._decoded() if self._card is None else self._on_card(self._card):
            self._shown += 1
            yield frame
        if self._shown == 0:
            raise VideoError(f"no frame of {self.info.name} can be decoded: the file is damaged or truncated")

    def between(self, first: int | None, end: int | None) -> Iterator[av.VideoFrame]:
        """The frames whose time stamps (in stream units) are at least ``first``, a keyframe's, and below
        ``end``."""
        if first is not None:
            self._container.seek(first, stream=self._stream, backward=True)
        for frame in self._decoded():
            if frame.pts is None or (first is not None and frame.pts < first):
                continue
            if end is not None and frame.pts >= end:
                return
            yield frame

    @property
    def decoder(self) -> str:
        """What decodes: the codec's name, and where."""
        if self._card is not None:
            return f"{self.info.codec} (PyNvVideoCodec)"
        return decoder_name(self._stream.codec_context)

    @property
    def damaged(self) -> int:
        """Packets read so far that gave no frame: some decoders say so with an error, others say nothing."""
        return max(self._broken, self._read - self._shown)

    def _on_card(self, card: int) -> Iterator[av.VideoFrame]:
        """PyNvVideoCodec's frames; where it refuses from the start, FFmpeg's, on the same card if it can."""
        try:
            if takes(self._stream):
                yield from card_frames(self._path, card, self._stream)
                return
        except CardRefused:
            if self._shown:
                self._broken += 1
                return
        self._card = None
        self._container.close()
        self._open(self._hardware)
        yield from self._decoded()

    def _decoded(self) -> Iterator[av.VideoFrame]:
        for packet in self._packets():
            try:
                yield from packet.decode()
            except av.error.FFmpegError:
                self._broken += 1

    def _packets(self) -> Iterator[av.Packet]:
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets, None)
            except (av.error.InvalidDataError, av.error.BlockingIOError, IndexError):
                # IndexError is PyAV's, where a stream shows up that the header did not name.
                self._broken += 1
                return
            except av.error.MemoryError as error:
                raise VideoError(
                    f"{self.info.name} asks for more memory than there is: the file is damaged or hostile"
                ) from error
            if packet is None:
                return
            self._read += bool(packet.size) and not packet.is_discard
            yield packet


def probe_video(path: Path) -> VideoInfo:
    """What the container says about its first video stream; raises VideoError."""
    with VideoReader(path) as reader:
        return reader.info
