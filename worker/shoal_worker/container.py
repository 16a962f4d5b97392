"""Opening a video file: what FFmpeg may open, and what a container says of its picture track."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av

from shoal_worker.errors import VideoError
from shoal_worker.hardware import accelerator

MAXIMUM_PIXELS = 8192 * 8192
FALLBACK_RATE = Fraction(30)
CONTAINERS = (
    "mov",
    "matroska",
    "avi",
    "mpegts",
    "mpeg",
    "mxf",
    "flv",
    "ogg",
    "asf",
    "ivf",
    "hevc",
    "h264",
    "m4v",
)
"""What FFmpeg may open. Playlists (hls, dash, concat) are not in it: they read other files."""


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """What a container says before anything is decoded.

    ``expected_frames`` is its own count or an estimate: good for a progress bar, never for numbering.
    """

    name: str
    width: int
    height: int
    rate: Fraction
    codec: str
    expected_frames: int | None
    start_seconds: float

    @property
    def fps(self) -> float:
        """Frames per second."""
        return float(self.rate)


def open_container(path: Path, hardware: str | None = None) -> av.container.InputContainer:
    """The file as FFmpeg opens it, to be closed by the caller; raises VideoError.

    Where the hardware does not come up (no card, no driver), the processor decodes.
    """
    if not path.is_file():
        raise VideoError(f"there is no file {path}: check the path")
    options, wanted = {"format_whitelist": ",".join(CONTAINERS)}, accelerator(hardware)
    if wanted is not None:
        with contextlib.suppress(av.error.FFmpegError, OSError, NotImplementedError):
            return av.open(str(path), options=options, hwaccel=wanted)
    try:
        return av.open(str(path), options=options)
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise VideoError(
            f"{path.name} is not a video that can be read ({error}): is the upload complete?"
        ) from error


def described(
    path: Path, container: av.container.InputContainer, stream: av.video.stream.VideoStream
) -> VideoInfo:
    """What the container says about ``stream``; raises VideoError where that cannot be a video."""
    context = stream.codec_context
    if not context.width or not context.height:
        raise VideoError(
            f"{path.name} does not say how large its picture is: the file is damaged or truncated"
        )
    if context.width * context.height > MAXIMUM_PIXELS:
        raise VideoError(
            f"{path.name} is {context.width}x{context.height}: more than 67 million pixels a frame"
        )
    rate = Fraction(stream.average_rate or stream.guessed_rate or FALLBACK_RATE)
    start = float(stream.start_time * stream.time_base) if stream.start_time and stream.time_base else 0.0
    expected = _expected_frames(container, stream, rate)
    return VideoInfo(path.name, context.width, context.height, rate, context.name, expected, start)


def _expected_frames(
    container: av.container.InputContainer, stream: av.video.stream.VideoStream, rate: Fraction
) -> int | None:
    if stream.frames > 0:
        return int(stream.frames)
    if stream.duration and stream.time_base:
        return max(1, int(stream.duration * stream.time_base * rate + Fraction(1, 2)))
    if container.duration:
        return max(1, round(Fraction(container.duration, 1_000_000) * rate))
    return None
