"""A decoded frame scaled down and turned into RGB in that order: a fraction of the usual order's work.

Decoders answer luma and half-sized chroma planes. Resizing is linear and so is the step to RGB, so scaling
the planes first and converting the small picture gives the same up to rounding. By an odd whole factor, as
from 1080p to 640, linear scaling takes the middle pixel of every block: its luma and its chroma are copied.
Source of the matrices: ITU-R BT.601, BT.709 and BT.2020, section on the quantised form.
"""

from __future__ import annotations

from functools import lru_cache

import av
import cv2
import numpy as np
import numpy.typing as npt

from shoal_worker.frames import Image
from shoal_worker.preprocess import interpolation, odd_factor

_LUMA_SHARES = {1: (0.2126, 0.0722), 9: (0.2627, 0.0593), 10: (0.2627, 0.0593)}
"""(red, blue) of AVCOL_SPC_BT709 and the two BT2020; every other space, also none at all, is BT.601, as in
FFmpeg's scaler."""
_BT601 = (0.299, 0.114)
_FULL_RANGE = 2
_PLANAR, _INTERLEAVED = {"yuv420p", "yuvj420p"}, {"nv12"}


class Scaler:
    """Frames as RGB pictures of one size (height, width), by way of buffers that are kept: fresh memory takes
    longer than the work in it. One thread at a time.

    Formats with 8 bits and quarter-sized chroma are scaled plane by plane; others go through FFmpeg's scaler.
    """

    def __init__(self, size: tuple[int, int]) -> None:
        self._size = size
        self._mixed: Image | None = None
        self._rows: Image | None = None
        self._scaled: list[Image | None] = [None] * 3

    def __call__(self, frame: av.VideoFrame, out: Image | None = None) -> Image:
        """The frame as (height, width, 3) uint8 RGB, written to ``out`` where that is given."""
        if frame.format.name not in _PLANAR | _INTERLEAVED:
            return self._resized(frame.to_ndarray(format="rgb24"), out)
        planes, factor = _planes(frame), odd_factor((frame.height, frame.width), self._size)
        if factor and not any(side % 2 for side in self._size):
            mixed = self._sampled(planes, factor)
        else:
            for number, plane in enumerate(planes):
                self._scaled[number] = self._resized(plane, self._scaled[number])
            mixed = cv2.merge(
                [plane for plane in self._scaled[: len(planes)] if plane is not None], self._mixed
            )
        self._mixed = mixed
        rgb: Image = cv2.transform(mixed, colours(frame), out)
        return rgb

    def _resized(self, image: Image, out: Image | None) -> Image:
        kind = interpolation((image.shape[0], image.shape[1]), self._size)
        scaled: Image = cv2.resize(image, self._size[::-1], out, interpolation=kind)
        return scaled

    def _sampled(self, planes: list[Image], factor: int) -> Image:
        """Luma and chroma (height, width, 3) of each block's middle pixel."""
        mixed = np.empty((*self._size, 3), np.uint8) if self._mixed is None else self._mixed
        # Whole rows first: memory is read faster so than by every few bytes.
        self._rows = _copied(planes[0][factor // 2 :: factor], self._rows)
        np.copyto(mixed[..., 0], self._rows[:, factor // 2 :: factor])
        chroma = planes[1:] if len(planes) == 3 else [planes[1][..., channel] for channel in (0, 1)]
        # Two blocks side by side have ``factor`` pixels of chroma: which of them their middles have.
        first, second = factor // 4, (factor + factor // 2) // 2
        height, width = self._size[0] // 2, self._size[1] // 2
        for channel, plane in enumerate(chroma, 1):
            blocks = plane.reshape(height, factor, width, factor)[:, first :: second - first]
            pairs = mixed.reshape(height, 2, width, 2, 3)[..., channel]
            np.copyto(pairs[..., 0], blocks[..., first])
            np.copyto(pairs[..., 1], blocks[..., second])
        return mixed


def scaled_rgb(frame: av.VideoFrame, size: tuple[int, int]) -> Image:
    """One frame as (height, width, 3) uint8 RGB of ``size`` (height, width); see Scaler."""
    return Scaler(size)(frame)


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


def _copied(image: Image, kept: Image | None) -> Image:
    if kept is None or kept.shape != image.shape:
        return image.copy()
    np.copyto(kept, image)
    return kept


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
