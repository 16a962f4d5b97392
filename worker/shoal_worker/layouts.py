"""Which of three output layouts a detector has, decided by its metadata first, then by shape, never by a
guess.

Sources: the exporters of YOLOv5 (``output0`` (1, N, 5+nc): centre x, centre y, width, height, objectness,
classes), of YOLOv8 and 11 ((1, 4+nc, N): centre x, centre y, width, height, classes) and of end-to-end models
((1, N, 6): left, top, right, bottom, score, class), all in pixels of the input.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from shoal_worker.errors import ModelError

END_TO_END_ROWS = 1000
"""End-to-end models answer a few hundred rows; an anchor grid of a usable input has more than this."""


class Layout(StrEnum):
    """How the numbers of a detector's first output are laid out."""

    YOLOV5 = "yolov5"
    YOLOV8 = "yolov8"
    END_TO_END = "end2end"


def recognise_layout(shape: tuple[int, ...], classes: int | None, metadata: Mapping[str, str]) -> Layout:
    """The layout of an output of ``shape`` (1, a, b) from a model that knows ``classes`` classes (None: not
    known).

    Raises:
        ModelError: no layout fits, or more than one does.
    """
    if metadata.get("shoal.layout"):
        return _named(metadata["shoal.layout"])
    if metadata.get("task", "detect") != "detect":
        raise ModelError(f"the model's task is {metadata['task']}: only detection models are tracked")
    if len(shape) != 3 or shape[0] != 1:
        raise ModelError(f"the output's shape {shape} is not (1, a, b): export a detector with a batch of 1")
    if metadata.get("end2end", "").lower() == "true":
        return Layout.END_TO_END
    fitting = _fitting(shape[1], shape[2], classes, from_ultralytics="task" in metadata)
    if len(fitting) == 1:
        return fitting[0]
    found = "fits no layout" if not fitting else f"fits {' and '.join(fitting)}"
    raise ModelError(
        f"the output {shape} with {classes or 'unknown'} classes {found}: put class names into the metadata "
        f"or into labels.txt, or write the metadata shoal.layout ({', '.join(Layout)})"
    )


def _fitting(rows: int, columns: int, classes: int | None, *, from_ultralytics: bool) -> list[Layout]:
    fits = {
        Layout.YOLOV5: columns == 5 + classes if classes else columns > 5 and rows > columns,
        Layout.YOLOV8: rows == 4 + classes if classes else rows > 4 and columns > rows,
        Layout.END_TO_END: columns == 6 and rows <= END_TO_END_ROWS,
    }
    if from_ultralytics:
        # This exporter writes a task and never the YOLOv5 layout; the YOLOv5 exporter writes no task.
        fits[Layout.YOLOV5] = False
    return [layout for layout, matches in fits.items() if matches]


def _named(word: str) -> Layout:
    try:
        return Layout(word)
    except ValueError as error:
        raise ModelError(f"shoal.layout is {word!r}: use one of {', '.join(Layout)}") from error


def classes_in(layout: Layout, shape: tuple[int, ...]) -> int | None:
    """How many classes an output of ``shape`` holds; None for an end-to-end one, which does not say."""
    if layout is Layout.END_TO_END:
        return None
    return shape[2] - 5 if layout is Layout.YOLOV5 else shape[1] - 4
