"""From a detector's raw output to detections: the three layouts, the threshold, and non-maximum
suppression."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from shoal_worker.frames import Detections, Floats, Integers
from shoal_worker.layouts import Layout
from shoal_worker.options import TrackOptions

MAXIMUM_CANDIDATES = 4096
"""Suppression takes time by the square: at --conf-thres 0.01 ten thousand anchors may pass the threshold."""


def read_output(output: Floats, layout: Layout, options: TrackOptions) -> Detections:
    """Detections in pixels of the model's input, best first.

    ``output`` is (1, a, b) as ``layout`` says. End-to-end models have suppressed already: only the threshold,
    the classes and the limit apply.
    """
    boxes, scores, classes = _READERS[layout](output[0], options.threshold)
    boxes, scores, classes = _wanted(boxes, scores, classes, options)
    found = Detections(boxes, scores, classes)
    if layout is Layout.END_TO_END:
        return found.keep(np.argsort(-scores, kind="stable")[: options.maximum_detections])
    return suppress(found, options.iou, agnostic=options.agnostic_nms, limit=options.maximum_detections)


def suppress(found: Detections, iou: float, *, agnostic: bool, limit: int) -> Detections:
    """Greedy non-maximum suppression, per class or, ``agnostic``, across classes; at most ``limit`` rows."""
    if not len(found):
        return found
    if len(found) > MAXIMUM_CANDIDATES:
        found = found.keep(np.argpartition(-found.scores, MAXIMUM_CANDIDATES)[:MAXIMUM_CANDIDATES])
    # OpenCV takes arrays here, though its stubs ask for sequences.
    rectangles: Any = found.boxes.copy()
    rectangles[:, 2:] -= rectangles[:, :2]
    scores: Any = found.scores
    classes: Any = found.classes.astype(np.int32)
    if agnostic:
        kept = cv2.dnn.NMSBoxes(rectangles, scores, 0.0, iou)
    else:
        kept = cv2.dnn.NMSBoxesBatched(rectangles, scores, classes, 0.0, iou)
    chosen = np.asarray(kept, np.int64).reshape(-1)
    return found.keep(chosen[np.argsort(-found.scores[chosen], kind="stable")][:limit])


def _wanted(
    boxes: Floats, scores: Floats, classes: Integers, options: TrackOptions
) -> tuple[Floats, Floats, Integers]:
    if options.classes is None:
        return boxes, scores, classes
    chosen = np.isin(classes, np.asarray(options.classes))
    return boxes[chosen], scores[chosen], classes[chosen]


def _corners(centred: Floats) -> Floats:
    half = centred[:, 2:4] / 2
    return np.concatenate([centred[:, :2] - half, centred[:, :2] + half], axis=1).astype(np.float32)


def _from_yolov5(rows: Floats, threshold: float) -> tuple[Floats, Floats, Integers]:
    rows = rows[rows[:, 4] > threshold].astype(np.float32)
    classes = rows[:, 5:].argmax(axis=1).astype(np.int64)
    scores = rows[:, 4] * rows[np.arange(len(rows)), 5 + classes]
    passing = scores > threshold
    return _corners(rows[passing]), scores[passing], classes[passing]


def _from_yolov8(columns: Floats, threshold: float) -> tuple[Floats, Floats, Integers]:
    best = columns[4:].max(axis=0)
    passing = np.flatnonzero(best > threshold)
    chosen = columns[:, passing].astype(np.float32)
    return _corners(chosen[:4].T), chosen[4:].max(axis=0), chosen[4:].argmax(axis=0).astype(np.int64)


def _from_end_to_end(rows: Floats, threshold: float) -> tuple[Floats, Floats, Integers]:
    rows = rows[rows[:, 4] > threshold].astype(np.float32)
    return rows[:, :4], rows[:, 4], rows[:, 5].astype(np.int64)


_READERS = {
    Layout.YOLOV5: _from_yolov5,
    Layout.YOLOV8: _from_yolov8,
    Layout.END_TO_END: _from_end_to_end,
}
