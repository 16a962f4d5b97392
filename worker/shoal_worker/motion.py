"""How the camera moved from one frame to the next: sparse optical flow and a robust similarity transform.

Corners (Shi and Tomasi 1994) of a small grey picture are followed by pyramidal Lucas-Kanade (Bouguet 2001),
and a rotation, scale and shift is fitted by RANSAC, so that moving animals count as outliers.
"""

from __future__ import annotations

import cv2
import numpy as np

from shoal_worker.frames import Floats, Image

WIDTH = 320
CORNERS = 200
FEWEST = 10


def thumbnail(image: Image) -> tuple[Image, float]:
    """The small grey picture of a frame (height, width, 3) RGB or (height, width) luma, and how many of the
    frame's pixels make one of its own."""
    factor = max(1.0, image.shape[1] / WIDTH)
    size = (round(image.shape[1] / factor), round(image.shape[0] / factor))
    small: Image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    grey: Image = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY) if small.ndim == 3 else small
    return grey, factor


class CameraMotion:
    """Measures frame after frame of one video; one thread at a time."""

    def __init__(self) -> None:
        self._last: Image | None = None

    def resume(self, grey: Image) -> None:
        """Go on behind the frame whose thumbnail this is."""
        self._last = grey

    def measure(self, image: Image) -> Floats | None:
        """The affine (2, 3) float64 that takes the last frame's pixels to those of ``image`` (height, width,
        3).

        None for the first frame, and where the picture has too little texture to tell.
        """
        return self.follow(*thumbnail(image))

    def follow(self, grey: Image, factor: float) -> Floats | None:
        """As ``measure``, from the frame's thumbnail."""
        last, self._last = self._last, grey
        if last is None or last.shape != grey.shape:
            return None
        motion = _similarity(last, grey)
        if motion is not None:
            motion[:, 2] *= factor
        return motion


def _similarity(last: Image, grey: Image) -> Floats | None:
    corners = cv2.goodFeaturesToTrack(last, CORNERS, 0.01, 5)
    if corners is None or len(corners) < FEWEST:
        return None
    moved, followed, _ = cv2.calcOpticalFlowPyrLK(last, grey, corners, np.empty_like(corners))
    kept = followed.reshape(-1) == 1
    if int(kept.sum()) < FEWEST:
        return None
    motion, inliers = cv2.estimateAffinePartial2D(corners[kept], moved[kept], ransacReprojThreshold=1.5)
    if motion is None or int(inliers.sum()) < FEWEST:
        return None
    return np.asarray(motion, np.float64)
