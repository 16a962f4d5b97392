"""A decoded frame scaled down and turned into RGB in that order: a fraction of the usual order's work.

Decoders answer luma and half-sized chroma planes. Resizing is linear and so is the step to RGB, so scaling
the planes first and converting the small picture gives the same up to rounding. Source of the matrices: ITU-R
BT.601, BT.709 and BT.2020, section on the quantised form.
"""

from __future__ import annotations

from functools import lru_cache

import av
import cv2
import numpy as np
import numpy.typing as npt

from shoal_worker.frames import Image

_LUMA_SHARES = {1: (0.2126, 0.0722), 9: (0.2627, 0.0593), 10: (0.2627, 0.0593)}
"""(red, blue) of AVCOL_SPC_BT709 and the two BT2020; every other space, also none at all, is BT.601, as in
FFmpeg's scaler."""
_BT601 = (0.299, 0.114)
_FULL_RANGE = 2
_PLANAR, _INTERLEAVED = {"yuv420p", "yuvj420p"}, {"nv12"}


def scaled_rgb(frame: av.VideoFrame, size: tuple[int, int]) -> Image:
    """The frame as (height, width, 3) uint8 RGB of ``size`` (height, width).

    Formats with 8 bits and quarter-sized chroma are scaled plane by plane; others go through FFmpeg's scaler.
    """
    if frame.format.name not in _PLANAR | _INTERLEAVED:
        whole = frame.to_ndarray(format="rgb24")
        scaled: Image = cv2.resize(whole, size[::-1], interpolation=cv2.INTER_LINEAR)
        return scaled
    small = [cv2.resize(plane, size[::-1], interpolation=cv2.INTER_LINEAR) for plane in _planes(frame)]
    rgb: Image = cv2.transform(cv2.merge(small), colours(frame))
    return rgb


def colours(frame: av.VideoFrame) -> npt.NDArray[np.float32]:
    """The affine (3, 4) from this frame's luma and chroma to RGB, all in 0..255."""
    full = frame.format.name == "yuvj420p" or int(frame.color_range) == _FULL_RANGE
    return _to_rgb(int(frame.colorspace), full)


def packed(frame: av.VideoFrame) -> Image | None:
    """The frame as NV12, (height * 3 / 2, width) uint8: luma, then rows of chroma pairs. None where the
    format has not 8 bits and quarter-sized chroma, or a side is odd."""
    if frame.format.name not in _PLANAR | _INTERLEAVED or frame.height % 2 or frame.width % 2:
        return None
    first, *chroma = _planes(frame)
    pairs = chroma[0] if len(chroma) == 1 else cv2.merge(chroma)
    return np.concatenate([first, pairs.reshape(frame.height // 2, frame.width)])


def luma(frame: av.VideoFrame) -> Image | None:
    """The frame's luma (height, width) uint8, without a copy; None where the format has no such plane."""
    if frame.format.name not in _PLANAR | _INTERLEAVED | {"gray"}:
        return None
    return _view(frame.planes[0], frame.height, frame.width)


def _planes(frame: av.VideoFrame) -> list[Image]:
    height, width = -(-frame.height // 2), -(-frame.width // 2)
    first = _view(frame.planes[0], frame.height, frame.width)
    if frame.format.name in _PLANAR:
        return [first, *(_view(plane, height, width) for plane in frame.planes[1:3])]
    pairs = _view(frame.planes[1], height, 2 * width).reshape(height, width, 2)
    return [first, pairs]


def _view(plane: av.video.plane.VideoPlane, height: int, width: int) -> Image:
    return np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[:height, :width]


@lru_cache(maxsize=16)
def _to_rgb(colorspace: int, full_range: bool) -> npt.NDArray[np.float32]:
    """The affine (3, 4) from luma and chroma to RGB."""
    red, blue = _LUMA_SHARES.get(colorspace, _BT601)
    green = 1 - red - blue
    rows = np.array(
        [
            [1, 0, 2 * (1 - red)],
            [1, -2 * (1 - blue) * blue / green, -2 * (1 - red) * red / green],
            [1, 2 * (1 - blue), 0],
        ]
    )
    if not full_range:
        rows *= [255 / 219, 255 / 224, 255 / 224]
    shift = rows @ [0 if full_range else 16, 128, 128]
    return np.concatenate([rows, -shift[:, None]], axis=1).astype(np.float32)
