"""Small videos with bright squares at known places, for the detectors of ``tiny_models``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.uint8]
Square = tuple[int, int, int]
"""Centre x, centre y, channel (0 red, 1 green, 2 blue)."""


def picture(squares: Sequence[Square], size: tuple[int, int] = (96, 160), side: int = 32) -> Picture:
    """A black picture (height, width, 3) RGB with squares of ``side`` pixels."""
    image = np.zeros((*size, 3), np.uint8)
    for x, y, channel in squares:
        image[max(0, y - side // 2) : y + side // 2, max(0, x - side // 2) : x + side // 2, channel] = 255
    return image


def write_video(
    path: Path,
    frames: int,
    draw: Callable[[int], Picture],
    *,
    codec: str = "mpeg4",
    first_pts: int = 0,
    b_frames: int = 0,
    group: int | None = None,
) -> Path:
    """Write ``draw(1)`` .. ``draw(frames)`` at 30 frames per second; the first one's time stamp is
    ``first_pts``, and a keyframe comes at least every ``group`` frames."""
    size = draw(1).shape
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=30)
        stream.height, stream.width, stream.pix_fmt, stream.bit_rate = size[0], size[1], "yuv420p", 4_000_000
        stream.codec_context.max_b_frames = b_frames
        if group is not None:
            stream.codec_context.gop_size = group
            stream.options = {"x265-params": "log-level=none"} if codec == "libx265" else {}
        for number in range(1, frames + 1):
            frame = av.VideoFrame.from_ndarray(draw(number), format="rgb24")
            frame.pts, frame.time_base = number - 1 + first_pts, Fraction(1, 30)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path
