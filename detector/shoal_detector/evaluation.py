"""How well tracks agree with the truth: HOTA, CLEAR MOT and identity scores by trackeval (for development).

A track that calls an animal by a wrong name gets no credit: boxes of different labels do not overlap here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from trackeval.metrics import CLEAR, HOTA, Identity

from shoal_detector.truth import Truth

Boxes = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Rows:
    """Boxes of a video: frames from 1 (n,), ids (n,), labels (n,), and (n, 4) left, top, width, height."""

    frames: Integers
    ids: Integers
    labels: Integers
    boxes: Boxes


@dataclass(frozen=True)
class Score:
    """Shares of 1, except the number of identity switches. MOTA can be below 0."""

    idf1: float
    hota: float
    mota: float
    recall: float
    precision: float
    switches: int


def truth_rows(truth: Truth) -> Rows:
    """The truth as rows."""
    numbers = np.asarray([(b.frame, b.identity, b.label) for b in truth.boxes], np.int64).reshape(-1, 3)
    boxes = np.asarray([(b.left, b.top, b.width, b.height) for b in truth.boxes], float).reshape(-1, 4)
    return Rows(numbers[:, 0], numbers[:, 1], numbers[:, 2], boxes)


def evaluate(truth: Rows, tracks: Rows, frames: int) -> Score:
    """Score the tracks of one video of ``frames`` frames."""
    data = sequence(truth, tracks, frames)
    hota, clear, identity = (metric.eval_sequence(data) for metric in (HOTA(), _clear(), _identity()))
    return Score(
        idf1=float(identity["IDF1"]),
        hota=float(np.mean(hota["HOTA"])),
        mota=float(clear["MOTA"]),
        recall=float(clear["CLR_Re"]),
        precision=float(clear["CLR_Pr"]),
        switches=int(clear["IDSW"]),
    )


def sequence(truth: Rows, tracks: Rows, frames: int) -> dict[str, Any]:
    """What trackeval's metrics read: ids counted from 0 without gaps, and overlaps frame by frame."""
    truth_names, truth_ids = np.unique(truth.ids, return_inverse=True)
    track_names, track_ids = np.unique(tracks.ids, return_inverse=True)
    at_truth = [np.flatnonzero(truth.frames == frame) for frame in range(1, frames + 1)]
    at_tracks = [np.flatnonzero(tracks.frames == frame) for frame in range(1, frames + 1)]
    return {
        "num_timesteps": frames,
        "num_gt_ids": len(truth_names),
        "num_tracker_ids": len(track_names),
        "num_gt_dets": sum(map(len, at_truth)),
        "num_tracker_dets": sum(map(len, at_tracks)),
        "gt_ids": [truth_ids[rows] for rows in at_truth],
        "tracker_ids": [track_ids[rows] for rows in at_tracks],
        "similarity_scores": _similarities(truth, tracks, at_truth, at_tracks),
    }


def overlap(first: Boxes, second: Boxes) -> Boxes:
    """IoU (n, m) of boxes (n, 4) and (m, 4) given as left, top, width, height."""
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum((first[:, :2] + first[:, 2:])[:, None], (second[:, :2] + second[:, 2:])[None])
    shared = np.clip(high - low, 0, None).prod(axis=2)
    union = first[:, 2:].prod(axis=1)[:, None] + second[:, 2:].prod(axis=1)[None] - shared
    return np.asarray(shared / np.maximum(union, 1e-9))


def _similarities(
    truth: Rows, tracks: Rows, at_truth: Sequence[Integers], at_tracks: Sequence[Integers]
) -> list[Boxes]:
    found = []
    for mine, theirs in zip(at_truth, at_tracks, strict=True):
        same = truth.labels[mine][:, None] == tracks.labels[theirs][None]
        found.append(overlap(truth.boxes[mine], tracks.boxes[theirs]) * same)
    return found


def _clear() -> Any:
    return CLEAR({"THRESHOLD": 0.5, "PRINT_CONFIG": False})


def _identity() -> Any:
    return Identity({"THRESHOLD": 0.5, "PRINT_CONFIG": False})
