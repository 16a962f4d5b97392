"""From the numbers of each layout to boxes, scores and classes in pixels of the model's input."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from shoal_worker.frames import Detections, Floats
from shoal_worker.layouts import Layout

Outputs = Sequence[Floats]
"""A frame's outputs without their batch axis, in the order of ``layouts.chosen_outputs``."""


def read_rows(
    outputs: Outputs, layout: Layout, threshold: float, size: tuple[int, int], classes: int
) -> Detections:
    """Every row above ``threshold``, in pixels of an input of ``size`` (height, width), in no order.

    ``classes`` is the number of names: one more logit than names is the background's, as RF-DETR has it.
    """
    if layout in (Layout.DETR, Layout.RFDETR):
        found = _from_logits(outputs, threshold, classes)
    else:
        found = _SINGLE[layout](outputs[0], threshold)
    if layout.stretches:
        sides = np.array([size[1], size[0]] * 2, np.float32)
        return Detections(found.boxes * sides, found.scores, found.classes)
    return found


def _corners(centred: Floats) -> Floats:
    half = centred[:, 2:4] / 2
    return np.concatenate([centred[:, :2] - half, centred[:, :2] + half], axis=1).astype(np.float32)


def _from_yolov5(rows: Floats, threshold: float) -> Detections:
    rows = rows[rows[:, 4] > threshold].astype(np.float32)
    classes = rows[:, 5:].argmax(axis=1).astype(np.int64)
    scores = rows[:, 4] * rows[np.arange(len(rows)), 5 + classes]
    passing = scores > threshold
    return Detections(_corners(rows[passing]), scores[passing], classes[passing])


def _from_yolov8(columns: Floats, threshold: float) -> Detections:
    best = columns[4:].max(axis=0)
    passing = np.flatnonzero(best > threshold)
    chosen = columns[:, passing].astype(np.float32)
    classes = chosen[4:].argmax(axis=0).astype(np.int64)
    return Detections(_corners(chosen[:4].T), chosen[4:].max(axis=0), classes)


def _from_end_to_end(rows: Floats, threshold: float) -> Detections:
    rows = rows[rows[:, 4] > threshold].astype(np.float32)
    return Detections(rows[:, :4], rows[:, 4], rows[:, 5].astype(np.int64))


def _from_rtdetr(rows: Floats, threshold: float) -> Detections:
    return _scored(rows[:, :4], rows[:, 4:], threshold)


def _from_rtdetr_top(rows: Floats, threshold: float) -> Detections:
    rows = rows[rows[:, 4] > threshold].astype(np.float32)
    return Detections(_corners(rows[:, :4]), rows[:, 4], rows[:, 5].astype(np.int64))


def _from_logits(outputs: Outputs, threshold: float, classes: int) -> Detections:
    boxes, logits = outputs
    if classes and logits.shape[1] == classes + 1:
        logits = logits[:, :classes]
    scores = 1 / (1 + np.exp(-np.clip(logits.astype(np.float32), -60, 60)))
    return _scored(boxes, scores, threshold)


def _scored(centred: Floats, scores: Floats, threshold: float) -> Detections:
    """A query that is sure of two classes answers two rows, as the authors' own top-k does."""
    queries, classes = np.nonzero(scores > threshold)
    chosen = scores[queries, classes].astype(np.float32)
    return Detections(_corners(centred[queries].astype(np.float32)), chosen, classes.astype(np.int64))


_SINGLE: dict[Layout, Callable[[Floats, float], Detections]] = {
    Layout.YOLOV5: _from_yolov5,
    Layout.YOLOV8: _from_yolov8,
    Layout.END_TO_END: _from_end_to_end,
    Layout.RTDETR: _from_rtdetr,
    Layout.RTDETR_TOP: _from_rtdetr_top,
}
