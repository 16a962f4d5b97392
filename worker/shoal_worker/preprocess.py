"""Letterbox: a frame scaled into a model's input with its proportions kept, into buffers that are kept
too."""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from shoal_worker.frames import Floats, Image

GREY = 114
"""The border's grey, as the YOLO exporters train with it."""


def rectangle(frame: tuple[int, int], size: tuple[int, int], stride: int) -> tuple[int, int]:
    """The smallest input (height, width) that holds ``frame`` scaled into ``size``, in multiples of
    ``stride``."""
    ratio = min(size[0] / frame[0], size[1] / frame[1])
    return (
        max(stride, math.ceil(round(frame[0] * ratio) / stride) * stride),
        max(stride, math.ceil(round(frame[1] * ratio) / stride) * stride),
    )


class Letterbox:
    """Turns frames of one size into tensors of one size. Not for two threads at once: it reuses its buffers.

    Args:
        frame: (height, width) of the frames.
        size: (height, width) of the model's input.
        input_type: float32 or float16 (scaled to 0..1), or uint8 (left as 0..255).
    """

    def __init__(self, frame: tuple[int, int], size: tuple[int, int], input_type: type[np.generic]) -> None:
        ratio = min(size[0] / frame[0], size[1] / frame[1])
        self.frame = frame
        self._inner = (max(1, round(frame[1] * ratio)), max(1, round(frame[0] * ratio)))
        self._left, self._top = (size[1] - self._inner[0]) // 2, (size[0] - self._inner[1]) // 2
        self._canvas: Image = np.full((*size, 3), GREY, np.uint8)
        self._window = self._canvas[
            self._top : self._top + self._inner[1], self._left : self._left + self._inner[0]
        ]
        self._tensor: npt.NDArray[Any] = np.zeros((1, 3, *size), input_type)
        self._factor = None if input_type is np.uint8 else input_type(1 / 255)

    def __call__(self, image: Image) -> npt.NDArray[Any]:
        """A frame (height, width, 3) uint8 RGB as a tensor (1, 3, height, width); overwritten by the next
        call."""
        cv2.resize(image, self._inner, dst=self._window, interpolation=cv2.INTER_LINEAR)
        for channel in range(3):
            plane = self._canvas[:, :, channel]
            if self._factor is None:
                np.copyto(self._tensor[0, channel], plane)
            else:
                np.multiply(plane, self._factor, out=self._tensor[0, channel])
        return self._tensor

    def restore(self, boxes: Floats) -> Floats:
        """Boxes (n, 4) left top right bottom of the input, in pixels of the frame and clipped to it."""
        height, width = self.frame
        scale = np.array([width / self._inner[0], height / self._inner[1]] * 2, np.float32)
        shift = np.array([self._left, self._top] * 2, np.float32)
        limit = np.array([width, height] * 2, np.float32)
        restored: Floats = np.clip((boxes - shift) * scale, 0, limit)
        return restored
