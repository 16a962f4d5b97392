"""NVIDIA's PyNvVideoCodec as decoder: the card's NVDEC without FFmpeg between.

It is optional, and not in the image. **The way through it has not been seen on a card**: tested is how it is
asked, and what happens where it refuses. On a card its SimpleDecoder answered the shapes and layout that are
read here.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np

from shoal_worker.frames import Image

AT_ONCE = 8
FORMATS = frozenset({"yuv420p", "yuvj420p", "nv12"})
"""What comes out as NV12; ten bits and more go through FFmpeg."""


class CardRefused(Exception):
    """The library or the card cannot decode this file, or no further."""


def card_frames(path: Path, card: int, stream: Any) -> Iterator[av.VideoFrame]:
    """Every frame of the file in the order shown, as NV12 with the colours of ``stream``'s codec context.

    Raises:
        CardRefused: PyNvVideoCodec, its driver or the card gave up; before the first frame, or later.
    """
    context = stream.codec_context
    try:
        module = importlib.import_module("PyNvVideoCodec")
    except (ImportError, OSError) as error:
        raise CardRefused(str(error)) from error
    try:
        for picture in _pictures(module, path, card):
            frame = av.VideoFrame.from_ndarray(picture, format="nv12")
            frame.colorspace, frame.color_range = context.colorspace, context.color_range
            yield frame
    except _errors(module) as error:
        raise CardRefused(str(error)) from error


def takes(stream: Any) -> bool:
    """Whether a stream has eight bits, quarter-sized chroma and even sides."""
    context = stream.codec_context
    return context.pix_fmt in FORMATS and context.width % 2 == 0 and context.height % 2 == 0


def _pictures(module: Any, path: Path, card: int) -> Iterator[Image]:
    decoder = module.SimpleDecoder(
        str(path), gpu_id=card, use_device_memory=False, output_color_type=module.OutputColorType.NATIVE
    )
    left = len(decoder)
    while left > 0:
        some = decoder.get_batch_frames(min(AT_ONCE, left))
        if not some:
            return
        for frame in some:
            # A copy: the decoder uses its buffers again.
            yield np.array(np.from_dlpack(frame), np.uint8)
        left -= len(some)


def _errors(module: Any) -> tuple[type[Exception], ...]:
    """The library's own errors, whose base is not documented, and those that bindings raise."""
    own = [kind for kind in vars(module).values() if isinstance(kind, type) and issubclass(kind, Exception)]
    return (RuntimeError, ValueError, TypeError, OSError, *own)
