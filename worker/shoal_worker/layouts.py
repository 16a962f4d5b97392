"""Which of seven output layouts a detector has, decided by its metadata first, then by its outputs' names and
shapes, never by a guess.

Sources: the exporters of YOLOv5 (``output0`` (1, N, 5+nc): centre x, centre y, width, height, objectness,
classes), of YOLOv8 and 11 ((1, 4+nc, N): centre x, centre y, width, height, classes) and of end-to-end models
((1, N, 6): left, top, right, bottom, score, class), all in pixels of the input. RT-DETR as ultralytics
exports it, in shares of the input: (1, N, 4+nc) centre boxes and scores, since 8.4 (1, N, 6) with score and
class. DETR as its authors' and Hugging Face's exporters write it: ``pred_boxes`` (1, N, 4) in shares and
``logits`` (1, N, nc); RF-DETR the same as ``dets`` and ``labels``
(https://rfdetr.roboflow.com/latest/exports/onnx/).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from shoal_worker.errors import ModelError

END_TO_END_ROWS = 1000
"""End-to-end models answer a few hundred rows; an anchor grid of a usable input has more than this."""


class Layout(StrEnum):
    """How the numbers of a detector's outputs are laid out."""

    YOLOV5 = "yolov5"
    YOLOV8 = "yolov8"
    END_TO_END = "end2end"
    RTDETR = "rtdetr"
    RTDETR_TOP = "rtdetr-top"
    DETR = "detr"
    RFDETR = "rfdetr"

    @property
    def suppresses(self) -> bool:
        """Whether rows may be duplicates, so that suppression has to follow."""
        return self in (Layout.YOLOV5, Layout.YOLOV8)

    @property
    def stretches(self) -> bool:
        """Whether the network was trained on frames stretched to its input, without a border."""
        return self in (Layout.RTDETR, Layout.RTDETR_TOP, Layout.DETR, Layout.RFDETR)

    @property
    def normalises(self) -> bool:
        """Whether pixels are to be shifted and scaled by ImageNet's mean and deviation."""
        return self is Layout.RFDETR


_PAIRS = {Layout.DETR: ("pred_boxes", "logits"), Layout.RFDETR: ("dets", "labels")}


@dataclass(frozen=True, slots=True)
class Output:
    """One output of a model: its name and its shape for one frame."""

    name: str
    shape: tuple[int, ...]


def recognise_layout(outputs: Sequence[Output], classes: int | None, metadata: Mapping[str, str]) -> Layout:
    """The layout of a model that knows ``classes`` classes (None: not known).

    Raises:
        ModelError: no layout fits, or more than one does.
    """
    if metadata.get("shoal.layout"):
        return _named(metadata["shoal.layout"])
    if metadata.get("task", "detect") != "detect":
        raise ModelError(f"the model's task is {metadata['task']}: only detection models are tracked")
    names = {output.name for output in outputs}
    for layout, pair in _PAIRS.items():
        if names.issuperset(pair):
            return layout
    return _by_shape(outputs[0].shape, classes, metadata)


def chosen_outputs(layout: Layout, names: Sequence[str]) -> tuple[str, ...]:
    """The names of the outputs that ``layout`` is read from, in the reader's order.

    Raises:
        ModelError: the model has no such output.
    """
    wanted = _PAIRS.get(layout, (names[0],))
    if not set(wanted) <= set(names):
        raise ModelError(f"a model of layout {layout} answers {' and '.join(wanted)}, not {', '.join(names)}")
    return wanted


def _by_shape(shape: tuple[int, ...], classes: int | None, metadata: Mapping[str, str]) -> Layout:
    if len(shape) != 3 or shape[0] != 1:
        raise ModelError(f"the output's shape {shape} is not (1, a, b): export a detector with a batch of 1")
    if metadata.get("head") == "RTDETRDecoder":
        return Layout.RTDETR_TOP if shape[2] == 6 else Layout.RTDETR
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
    few = rows <= END_TO_END_ROWS
    fits = {
        Layout.YOLOV5: columns == 5 + classes if classes else columns > 5 and rows > columns,
        Layout.YOLOV8: rows == 4 + classes if classes else rows > 4 and columns > rows,
        Layout.END_TO_END: columns == 6 and few,
        # Two classes make six columns too, which an end-to-end model is likelier to mean: metadata says.
        Layout.RTDETR: few and classes is not None and classes != 2 and columns == 4 + classes,
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


def classes_in(layout: Layout, shapes: Sequence[tuple[int, ...]]) -> int | None:
    """How many classes outputs of these shapes hold; None where each row names one class and no number is
    said."""
    last = shapes[-1][-1]
    return {
        Layout.YOLOV5: last - 5,
        Layout.YOLOV8: shapes[-1][1] - 4,
        Layout.RTDETR: last - 4,
        Layout.DETR: last,
        Layout.RFDETR: last,
    }.get(layout)
