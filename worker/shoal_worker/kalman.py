"""A constant-velocity Kalman filter over many boxes at once.

With the diagonal noise of SORT's family the eight-dimensional filter falls apart into four two-dimensional
ones (centre x, centre y, width, height, each with its velocity), so every step is element-wise arithmetic on
arrays and needs no matrix at all. Noise in proportion to the box's size as in BoT-SORT (Aharon et al. 2022,
arXiv 2206.14651).
"""

from __future__ import annotations

import numpy as np

from shoal_worker.frames import Booleans, Floats, Integers

POSITION_NOISE = 1 / 20
VELOCITY_NOISE = 1 / 160

VALUE, SPEED, VALUE_VARIANCE, COVARIANCE, SPEED_VARIANCE = range(5)


def start(boxes: Floats) -> Floats:
    """States (5, n, 4) of boxes (n, 4) seen for the first time; the planes are named above."""
    centred = to_centred(boxes)
    scale = _scale(centred)
    state = np.zeros((5, *centred.shape))
    state[VALUE] = centred
    state[VALUE_VARIANCE] = (2 * POSITION_NOISE * scale) ** 2
    state[SPEED_VARIANCE] = (10 * VELOCITY_NOISE * scale) ** 2
    return state


def predict(state: Floats, lost: Booleans) -> None:
    """One frame forward, in place. A lost box keeps its size, since its speed of growth is no longer
    trusted."""
    state[SPEED, lost, 2:] = 0.0
    scale = _scale(state[VALUE])
    state[VALUE] += state[SPEED]
    state[VALUE_VARIANCE] += 2 * state[COVARIANCE] + state[SPEED_VARIANCE] + (POSITION_NOISE * scale) ** 2
    state[COVARIANCE] += state[SPEED_VARIANCE]
    state[SPEED_VARIANCE] += (VELOCITY_NOISE * scale) ** 2


def correct(state: Floats, rows: Integers, boxes: Floats) -> None:
    """Takes the measured boxes (k, 4) into the states at ``rows`` (k,), in place."""
    part = state[:, rows]
    total = part[VALUE_VARIANCE] + (POSITION_NOISE * _scale(part[VALUE])) ** 2
    value_gain, speed_gain = part[VALUE_VARIANCE] / total, part[COVARIANCE] / total
    surprise = to_centred(boxes) - part[VALUE]
    part[VALUE] += value_gain * surprise
    part[SPEED] += speed_gain * surprise
    part[SPEED_VARIANCE] -= speed_gain * part[COVARIANCE]
    part[VALUE_VARIANCE] *= 1 - value_gain
    part[COVARIANCE] *= 1 - value_gain
    state[:, rows] = part


def warp(state: Floats, motion: Floats) -> None:
    """Moves every state by the camera's motion, a (2, 3) affine from the last frame to this one, in place."""
    linear = motion[:, :2].T
    state[VALUE, :, :2] = state[VALUE, :, :2] @ linear + motion[:, 2]
    state[SPEED, :, :2] = state[SPEED, :, :2] @ linear
    state[VALUE, :, 2:] *= np.sqrt(abs(np.linalg.det(motion[:, :2])))


def to_centred(boxes: Floats) -> Floats:
    """Left top right bottom (n, 4) as centre x, centre y, width, height (n, 4) float64."""
    size = boxes[:, 2:].astype(np.float64) - boxes[:, :2]
    return np.concatenate([boxes[:, :2] + size / 2, size], axis=1)


def to_corners(state: Floats) -> Floats:
    """The boxes (n, 4), left top right bottom, that the states stand for."""
    half = np.maximum(state[VALUE, :, 2:], 1e-6) / 2
    return np.concatenate([state[VALUE, :, :2] - half, state[VALUE, :, :2] + half], axis=1)


def _scale(centred: Floats) -> Floats:
    size = np.maximum(centred[:, 2:], 1e-6)
    return np.concatenate([size, size], axis=1)
