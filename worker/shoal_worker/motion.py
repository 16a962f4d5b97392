"""How the camera moved from one frame to the next: sparse optical flow and a robust similarity transform.

Corners (Shi and Tomasi 1994) of a small grey picture are followed by pyramidal Lucas-Kanade (Bouguet 2001),
and a rotation, scale and shift is fitted by RANSAC, so that moving animals count as outliers. Corners are
looked for at half the picture's size: what has texture there is no grain, and is followed best.
"""

from __future__ import annotations

import cv2
import numpy as np

from shoal_worker.frames import Floats, Image

WIDTH = 480
"""A thumbnail is at most so wide, and more than half of it where the frame is wider."""
CORNERS, APART = 120, 6
FEWEST = 10
WINDOW, LEVELS = (9, 9), 4
"""A corner is followed by so many pixels around it, at full size and four times halved: far enough for shifts
of 60 thumbnail pixels."""
CRITERIA = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 10, 0.03)
FARTHEST = 2.25
"""Thumbnail pixels that a point may miss the fitted motion by."""


class Thumbnails:
    """Makes the small grey pictures of one video's frames, by way of buffers that are kept; one thread at a
    time."""

    def __init__(self) -> None:
        self._kept: list[Image] = []

    def __call__(self, image: Image) -> tuple[Image, float]:
        """That of a frame (height, width, 3) RGB or (height, width) luma, and how many of the frame's pixels
        make one of its own: a power of two, because halving is what OpenCV does fast."""
        grey: Image = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) if image.ndim == 3 else image
        steps: list[Image] = []
        while grey.shape[1] > WIDTH:
            grey = _halved(grey, self._kept[len(steps)] if len(steps) < len(self._kept) else None)
            steps.append(grey)
        self._kept = steps
        return grey.copy(), 2.0 ** len(steps)


def thumbnail(image: Image) -> tuple[Image, float]:
    """One frame's; see Thumbnails."""
    return Thumbnails()(image)


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
            # Half a pixel lies between a picture's corner and the middle of its first pixel.
            motion[:, 2] = factor * (motion[:, 2] + (0.5 - motion[:, :2] @ (0.5, 0.5)))
        return motion


def _halved(grey: Image, out: Image | None = None) -> Image:
    """Every two by two pixels as one; an odd row or column at the end is left out."""
    height, width = max(1, grey.shape[0] // 2), max(1, grey.shape[1] // 2)
    half: Image = cv2.resize(
        grey[: 2 * height, : 2 * width], (width, height), out, interpolation=cv2.INTER_AREA
    )
    return half


def _corners(grey: Image) -> Floats | None:
    """Points (n, 1, 2) float32 that can be followed."""
    found = cv2.goodFeaturesToTrack(_halved(grey), CORNERS, 0.01, APART)
    return None if found is None else 2 * found + np.float32(0.5)


def _similarity(last: Image, grey: Image) -> Floats | None:
    corners = _corners(last)
    if corners is None or len(corners) < FEWEST:
        return None
    moved, followed, _ = cv2.calcOpticalFlowPyrLK(
        last, grey, corners, np.empty_like(corners), winSize=WINDOW, maxLevel=LEVELS, criteria=CRITERIA
    )
    kept = followed.reshape(-1) == 1
    if int(kept.sum()) < FEWEST:
        return None
    motion, inliers = cv2.estimateAffinePartial2D(corners[kept], moved[kept], ransacReprojThreshold=FARTHEST)
    if motion is None or int(inliers.sum()) < FEWEST:
        return None
    return np.asarray(motion, np.float64)
