"""Where the camera has gone: the motions between frames summed up, so that places in different frames can be
compared.

A point that stands still keeps its place in the *mosaic*, the coordinates of the video's first frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from shoal_worker.frames import Floats, Integers

_POINTS_AT_ONCE = 4096


@dataclass(frozen=True, slots=True)
class CameraPath:
    """For every frame the affine (3, 3) from its pixels to the mosaic, and the one back; both (frames, 3, 3).

    ``scales`` (frames,) is how long a pixel of the frame is in the mosaic.
    """

    forward: Floats
    backward: Floats
    scales: Floats

    def place(self, frames: Integers, points: Floats) -> Floats:
        """Points (n, 2) of the frames (n,), counted from 0, in the mosaic."""
        return _moved(self.forward, frames, points)

    def see(self, frames: Integers, points: Floats) -> Floats:
        """Points (n, 2) of the mosaic in the pixels of the frames (n,), counted from 0."""
        return _moved(self.backward, frames, points)


def camera_path(camera: Sequence[Floats | None]) -> CameraPath:
    """The path of affines (2, 3), each from the last frame to its own; None counts as no motion."""
    if all(motion is None for motion in camera):
        still = np.broadcast_to(np.eye(3), (len(camera), 3, 3))
        return CameraPath(still, still, np.ones(len(camera)))
    backward = np.tile(np.eye(3), (len(camera), 1, 1))
    for number, motion in enumerate(camera):
        if number:
            backward[number] = backward[number - 1]
        if motion is not None and number:
            backward[number] = np.vstack([motion, [0, 0, 1]]) @ backward[number]
    forward = np.linalg.inv(backward)
    return CameraPath(forward, backward, np.sqrt(np.abs(np.linalg.det(forward[:, :2, :2]))))


def reversed_camera(camera: Sequence[Floats | None]) -> list[Floats | None]:
    """The motions that a video shows when it is played backwards."""
    return [None, *(_inverse(motion) for motion in reversed(camera[1:]))] if camera else []


def _inverse(motion: Floats | None) -> Floats | None:
    if motion is None:
        return None
    linear = np.linalg.inv(motion[:, :2])
    return np.column_stack([linear, -linear @ motion[:, 2]])


def _moved(affines: Floats, frames: Integers, points: Floats) -> Floats:
    # Some at a time: the affines of all points would weigh more than anything else that is kept of a video.
    answer = np.empty(points.shape)
    for start in range(0, len(points), _POINTS_AT_ONCE):
        rows = slice(start, start + _POINTS_AT_ONCE)
        chosen = affines[frames[rows]]
        answer[rows] = np.einsum("nij,nj->ni", chosen[:, :2, :2], points[rows]) + chosen[:, :2, 2]
    return answer
