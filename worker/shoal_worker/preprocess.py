"""From a frame to a network's input: the geometry, the scaled picture, and the tensor of a batch."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np

from shoal_worker.backend import Tensor
from shoal_worker.frames import Floats, Image

GREY = 114
"""The border's grey, as the YOLO exporters train with it."""
LONGEST_SIDE = 1920
"""Pixels of the picture that crops are taken from: larger frames are scaled down, so that what waits in
queues stays small."""
IMAGENET_MEAN, IMAGENET_DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def rectangle(frame: tuple[int, int], size: tuple[int, int], stride: int) -> tuple[int, int]:
    """The smallest input (height, width) that holds ``frame`` scaled into ``size``, in multiples of
    ``stride``."""
    ratio = min(size[0] / frame[0], size[1] / frame[1])
    return (
        max(stride, math.ceil(round(frame[0] * ratio) / stride) * stride),
        max(stride, math.ceil(round(frame[1] * ratio) / stride) * stride),
    )


def whole_size(frame: tuple[int, int]) -> tuple[int, int]:
    """The (height, width) of the picture that crops of a frame of (height, width) are taken from."""
    ratio = min(1.0, LONGEST_SIDE / max(frame))
    return max(1, round(frame[0] * ratio)), max(1, round(frame[1] * ratio))


def odd_factor(frame: tuple[int, int], size: tuple[int, int]) -> int:
    """The odd whole number above 1 by which both sides of a frame (height, width) are divided to make
    ``size``; 0 where there is none. Linear scaling then takes the middle pixel of every block."""
    factor = frame[0] // size[0]
    whole = frame == (factor * size[0], factor * size[1])
    return factor if whole and factor > 1 and factor % 2 else 0


def interpolation(frame: tuple[int, int], size: tuple[int, int]) -> int:
    """OpenCV's flag for linear scaling, in the fastest way that gives the same."""
    return cv2.INTER_NEAREST_EXACT if odd_factor(frame, size) else cv2.INTER_LINEAR


class Letterbox:
    """Fits frames of one size into pictures of one size, with their proportions kept, or stretched.

    Args:
        frame: (height, width) of the frames.
        size: (height, width) of the model's input.
        stretch: fill the input and give up the proportions.
    """

    def __init__(self, frame: tuple[int, int], size: tuple[int, int], *, stretch: bool = False) -> None:
        ratio = min(size[0] / frame[0], size[1] / frame[1])
        self.frame, self.size = frame, size
        kept = (max(1, round(frame[0] * ratio)), max(1, round(frame[1] * ratio)))
        self.inner = size if stretch else kept
        self._top, self._left = (size[0] - self.inner[0]) // 2, (size[1] - self.inner[1]) // 2

    def __call__(self, image: Image) -> Image:
        """A frame (height, width, 3) uint8 RGB as a new picture of the input's size."""
        picture, kind = self.empty(), interpolation((image.shape[0], image.shape[1]), self.inner)
        cv2.resize(image, self.inner[::-1], self.inside(picture), interpolation=kind)
        return picture

    @property
    def corner(self) -> tuple[int, int]:
        """Where (top, left) the scaled frame stands in the input."""
        return self._top, self._left

    def empty(self) -> Image:
        """A new picture of the input's size with the grey border; what the frame will cover is undefined."""
        picture: Image = np.empty((*self.size, 3), np.uint8)
        bottom, right = self._top + self.inner[0], self._left + self.inner[1]
        picture[: self._top], picture[bottom:] = GREY, GREY
        picture[self._top : bottom, : self._left], picture[self._top : bottom, right:] = GREY, GREY
        return picture

    def inside(self, picture: Image) -> Image:
        """The part of a picture of the input's size that the frame covers, as a view."""
        rows, columns = (
            slice(self._top, self._top + self.inner[0]),
            slice(self._left, self._left + self.inner[1]),
        )
        return picture[rows, columns]

    def restore(self, boxes: Floats) -> Floats:
        """Boxes (n, 4) left top right bottom of the input, in pixels of the frame and clipped to it."""
        height, width = self.frame
        scale = np.array([width / self.inner[1], height / self.inner[0]] * 2, np.float32)
        shift = np.array([self._left, self._top] * 2, np.float32)
        limit = np.array([width, height] * 2, np.float32)
        restored: Floats = np.clip((boxes - shift) * scale, 0, limit)
        return restored


def channel_scales(normalise: bool) -> list[tuple[float, float]]:
    """Factor and shift of each channel: from 0..255 to 0..1, or by ImageNet's mean and deviation."""
    means, deviations = (IMAGENET_MEAN, IMAGENET_DEVIATION) if normalise else ((0.0,) * 3, (1.0,) * 3)
    return [
        (1 / (255 * deviation), -mean / deviation) for mean, deviation in zip(means, deviations, strict=True)
    ]


class Batcher:
    """Turns pictures into tensors (batch, 3, height, width), in a ring of buffers that are kept.

    A tensor is overwritten ``slots`` calls later. Fewer pictures than ``batch`` leave the rest of it as it
    was: the network always sees one shape. With ``letterbox`` the pictures have its border, which is taken
    from a buffer's first picture and stays.
    """

    def __init__(
        self,
        batch: int,
        size: tuple[int, int],
        input_type: type[np.generic],
        slots: int,
        *,
        normalise: bool = False,
        letterbox: Letterbox | None = None,
    ) -> None:
        self._ring = [np.zeros((batch, 3, *size), input_type) for _ in range(slots)]
        self._next = 0
        inner, (top, left) = (letterbox.inner, letterbox.corner) if letterbox else (size, (0, 0))
        self._inside = slice(top, top + inner[0]), slice(left, left + inner[1])
        self._whole, self._inner = ([np.empty(sides, np.uint8) for _ in range(3)] for sides in (size, inner))
        self._begun: set[tuple[int, int]] = set()
        self._scales: list[tuple[float, float]] | None = None
        if input_type is not np.uint8:
            self._scales = channel_scales(normalise)

    def __call__(self, pictures: Sequence[Image]) -> Tensor:
        """The pictures (height, width, 3) uint8 RGB, as many as a batch or fewer."""
        turn, tensor = self._next, self._ring[self._next]
        self._next = (turn + 1) % len(self._ring)
        for place, picture in enumerate(pictures):
            if (turn, place) in self._begun:
                self._fill(tensor[place][:, *self._inside], picture[self._inside], self._inner)
            else:
                self._begun.add((turn, place))
                self._fill(tensor[place], picture, self._whole)
        return tensor

    def _fill(self, slot: Tensor, picture: Image, planes: list[Image]) -> None:
        # Split first: reading every third byte three times costs half as much again.
        cv2.split(picture, planes)
        for channel, plane in enumerate(planes):
            if self._scales is None:
                np.copyto(slot[channel], plane)
                continue
            factor, shift = (np.float32(number) for number in self._scales[channel])
            if slot.dtype != np.float32:
                # Rounded once, at the end: factors in half precision would be off by a part in a thousand.
                np.copyto(slot[channel], plane * factor + shift, casting="same_kind")
                continue
            np.multiply(plane, factor, out=slot[channel])
            if shift:
                slot[channel] += shift
