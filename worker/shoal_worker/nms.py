"""From a detector's raw output to detections: the threshold, the wanted classes, and non-maximum
suppression."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from shoal_worker.frames import Detections, Floats
from shoal_worker.layouts import Layout
from shoal_worker.options import TrackOptions
from shoal_worker.readers import read_rows

MAXIMUM_CANDIDATES = 2048
"""Suppression takes time by the square where boxes lie apart: at --conf-thres 0.01 ten thousand may pass."""


def read_output(
    outputs: Sequence[Floats], layout: Layout, options: TrackOptions, size: tuple[int, int], classes: int = 0
) -> Detections:
    """Detections in pixels of the model's input, best first.

    ``outputs`` are one frame's, as ``layout`` says; ``size`` (height, width) is the input's. Models that
    answer one row for each object are suppressed only across classes, and only where that is asked for.
    """
    found = read_rows(outputs, layout, options.threshold, size, classes)
    # A box that is no number overlaps with every other one, for OpenCV, and takes them away.
    found = found.keep(np.isfinite(found.boxes).all(axis=1) & options.chosen(found.classes))
    if layout.suppresses or options.agnostic_nms:
        return suppress(found, options.iou, agnostic=options.agnostic_nms, limit=options.maximum_detections)
    return found.keep(np.argsort(-found.scores, kind="stable")[: options.maximum_detections])


def suppress(found: Detections, iou: float, *, agnostic: bool, limit: int) -> Detections:
    """Greedy non-maximum suppression, per class or, ``agnostic``, across classes; at most ``limit`` rows."""
    if not len(found):
        return found
    if len(found) > MAXIMUM_CANDIDATES:
        found = found.keep(np.argpartition(-found.scores, MAXIMUM_CANDIDATES)[:MAXIMUM_CANDIDATES])
    sides = found.boxes.copy()
    sides[:, 2:] -= sides[:, :2]
    # Row by row OpenCV reads an array of floats five times slower than a list of lists.
    rectangles: Any = sides.tolist()
    scores: Any = found.scores
    classes: Any = found.classes.astype(np.int32)
    if agnostic:
        kept = cv2.dnn.NMSBoxes(rectangles, scores, 0.0, iou)
    else:
        kept = cv2.dnn.NMSBoxesBatched(rectangles, scores, classes, 0.0, iou)
    chosen = np.asarray(kept, np.int64).reshape(-1)
    return found.keep(chosen[np.argsort(-found.scores[chosen], kind="stable")][:limit])
