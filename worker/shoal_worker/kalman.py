"""A constant-velocity Kalman filter over many boxes at once.

With the diagonal noise of SORT's family the eight-dimensional filter falls apart into four two-dimensional
ones (centre x, centre y, width, height, each with its velocity), so every step is element-wise arithmetic on
arrays and needs no matrix at all. The boxes are the last axis, so that every plane is one run of memory.
Noise in proportion to the box's size as in BoT-SORT (Aharon et al. 2022, arXiv 2206.14651).
"""

from __future__ import annotations

import numpy as np

from shoal_worker.frames import Booleans, Floats, Integers

POSITION_NOISE = 1 / 20
VELOCITY_NOISE = 1 / 320
"""Of a frame at 30 frames per second; it grows with the time between two frames."""
START_VELOCITY_NOISE = 1 / 16
SMALLEST = 1e-6
"""Pixels; a box is never smaller."""

VALUE, SPEED, VALUE_VARIANCE, COVARIANCE, SPEED_VARIANCE = range(5)


def start(boxes: Floats) -> Floats:
    """States (5, 4, n) of boxes (n, 4) seen for the first time: the planes named above of centre x, centre y,
    width and height."""
    centred = to_centred(boxes)
    size = np.maximum(centred[2:], SMALLEST)
    state = np.zeros((5, *centred.shape))
    state[VALUE] = centred
    _by_size(state[VALUE_VARIANCE])[:] = (2 * POSITION_NOISE * size) ** 2
    _by_size(state[SPEED_VARIANCE])[:] = (START_VELOCITY_NOISE * size) ** 2
    return state


def predict(state: Floats, lost: Booleans, pace: float = 1.0) -> None:
    """One frame forward, in place; ``pace`` is how long a frame is, in thirtieths of a second. A lost box
    keeps its size, since its speed of growth is no longer trusted."""
    value, speed, value_variance, covariance, speed_variance = state
    np.copyto(speed[2:], 0.0, where=lost)
    size = np.maximum(value[2:], SMALLEST)
    value += speed
    growth = 2 * covariance
    growth += speed_variance
    _by_size(growth)[:] += np.square(POSITION_NOISE * size)
    value_variance += growth
    covariance += speed_variance
    _by_size(speed_variance)[:] += np.square(VELOCITY_NOISE * pace * size)


def correct(state: Floats, rows: Integers, boxes: Floats) -> None:
    """Takes the measured boxes (k, 4) into the states at ``rows`` (k,), in place."""
    part = state.take(rows, axis=2)
    value, _, value_variance, covariance, speed_variance = part
    total = value_variance.copy()
    _by_size(total)[:] += np.square(POSITION_NOISE * np.maximum(value[2:], SMALLEST))
    gains = part[VALUE_VARIANCE : COVARIANCE + 1] / total
    part[VALUE : SPEED + 1] += gains * (to_centred(boxes) - value)
    speed_variance -= gains[1] * covariance
    part[VALUE_VARIANCE : COVARIANCE + 1] *= 1 - gains[0]
    state[:, :, rows] = part


def warp(state: Floats, motion: Floats) -> None:
    """Moves every state by the camera's motion, a (2, 3) affine from the last frame to this one, in place."""
    linear = motion[:, :2].T
    state[VALUE, :2] = (state[VALUE, :2].T @ linear + motion[:, 2]).T
    state[SPEED, :2] = (state[SPEED, :2].T @ linear).T
    state[VALUE, 2:] *= np.sqrt(abs(np.linalg.det(motion[:, :2])))


def to_centred(boxes: Floats) -> Floats:
    """Left top right bottom (n, 4) as rows centre x, centre y, width, height (4, n) float64."""
    sides = boxes.T.astype(np.float64, order="C")
    sides[2:] -= sides[:2]
    sides[:2] += sides[2:] / 2
    return sides


def to_corners(state: Floats) -> Floats:
    """The boxes (n, 4), left top right bottom, that the states stand for."""
    centre, half = state[VALUE, :2], np.maximum(state[VALUE, 2:], SMALLEST)
    half /= 2
    return np.concatenate([centre - half, centre + half]).T


def _by_size(plane: Floats) -> Floats:
    """A plane (4, n) as (2, 2, n): the noise of a centre and of a size is in proportion to the same side."""
    return plane.reshape(2, 2, -1)
