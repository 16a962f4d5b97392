"""What stands before and behind a network on its own device, as ONNX graphs that any provider runs.

Before it: from a decoder's planes (or a picture that has its size already) to the network's input, as
``planes``, ``preprocess.Letterbox`` and ``Batcher`` do it on the processor. Behind it: from its raw output to
the rows that survive, as ``readers`` and ``nms`` do. Only these few rows come back from the device.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from shoal_worker.layouts import Layout
from shoal_worker.nms import MAXIMUM_CANDIDATES
from shoal_worker.onnxgraph import Graph
from shoal_worker.preprocess import GREY, Letterbox, channel_scales, odd_factor

FRAMES, COLOURS, TENSOR = "frames", "to_rgb", "tensor"
OUTPUT, THRESHOLD, OVERLAP, LIMIT, APART, WANTED, FOUND = (
    "output", "threshold", "overlap", "limit", "apart", "wanted", "found",
)  # fmt: skip
BATCH, BOX, SCORE, CLASS = 0, slice(1, 5), 5, 6
"""The columns of ``FOUND`` (n, 7) float32: the frame in the batch, its box in pixels of the input, score and
class."""


def planes_graph(letterbox: Letterbox, batch: int, element: type[np.generic], *, normalise: bool) -> bytes:
    """From NV12 frames (batch, height * 3 / 2, width) uint8 and the affine ``COLOURS`` (3, 4) to a tensor.

    The frame's sides are even. The planes are scaled first and become RGB after, as on the processor, and
    where that takes every block's middle pixel, so does this.
    """
    (height, width), (rows, columns) = letterbox.frame, letterbox.inner
    graph = Graph("planes")
    frames = graph.input(FRAMES, np.uint8, (batch, height * 3 // 2, width))
    colours = graph.input(COLOURS, np.float32, (3, 4))
    luma = _reshaped(graph, _sliced(graph, frames, 1, 0, height), (batch, 1, height, width))
    pairs = _sliced(graph, frames, 1, height, height * 3 // 2)
    pairs = _reshaped(graph, pairs, (batch, height // 2, width // 2, 2))
    chroma = graph.node("Transpose", pairs, perm=[0, 3, 1, 2])
    mode = "nearest" if odd_factor(letterbox.frame, letterbox.inner) else "linear"
    scaled = [
        _resized(graph, plane, (batch, count, rows, columns), mode)
        for plane, count in ((luma, 1), (chroma, 2))
    ]
    flat = _reshaped(graph, graph.node("Concat", *scaled, axis=1), (batch, 3, rows * columns))
    mixed = graph.node("MatMul", _sliced(graph, colours, 1, 0, 3), flat)
    shifted = graph.node("Add", mixed, _sliced(graph, colours, 1, 3, 4))
    low, high = (graph.constant(limit, np.float32) for limit in (0, 255))
    picture = _reshaped(graph, graph.node("Clip", shifted, low, high), (batch, 3, rows, columns))
    return _finished(graph, _bordered(graph, picture, letterbox), letterbox, batch, element, normalise)


def picture_graph(letterbox: Letterbox, batch: int, element: type[np.generic], *, normalise: bool) -> bytes:
    """From pictures (batch, height, width, 3) uint8 RGB of the network's size to a tensor."""
    graph = Graph("picture")
    frames = graph.input(FRAMES, np.uint8, (batch, *letterbox.size, 3))
    planes = graph.node("Cast", graph.node("Transpose", frames, perm=[0, 3, 1, 2]), to=1)
    return _finished(graph, planes, letterbox, batch, element, normalise)


def suppression_graph(layout: Layout, element: type[np.generic]) -> bytes:
    """From the raw output of a batch to ``FOUND``, best first in every frame.

    Its other inputs: the ``THRESHOLD`` and the ``OVERLAP`` (1,), the most rows of a frame ``LIMIT`` (1,), the
    classes that are ``WANTED`` (classes,) as 1 or 0, and how far ``APART`` (1,) boxes of different classes
    are moved, so that they never overlap: twice the input's longer side, or 0 for suppression across classes.
    """
    graph = Graph("suppression")
    graph.input(OUTPUT, element, ("batch", "first", "second"))
    for name in (THRESHOLD, OVERLAP, APART):
        graph.input(name, np.float32, (1,))
    graph.input(LIMIT, np.int64, (1,))
    graph.input(WANTED, np.float32, ("classes",))
    boxes, scores = _read(graph, graph.node("Cast", OUTPUT, to=1), layout)
    candidates = _Candidates.of(graph, boxes, scores)
    return graph.model(candidates.suppressed(), np.float32, ("rows", 7))


class _Candidates:
    """Boxes (batch, k, 4) by centre and size, scores (batch, k) and classes (batch, k), best first."""

    def __init__(self, graph: Graph, boxes: str, scores: str, classes: str) -> None:
        self._graph, self._boxes, self._scores, self._classes = graph, boxes, scores, classes

    @classmethod
    def of(cls, graph: Graph, boxes: str, scores: str) -> _Candidates:
        """The best of all boxes (batch, n, 4) with scores (batch, classes, n): capped, wanted and finite."""
        zero = graph.constant(0, np.float32)
        best = graph.node("ReduceMax", scores, axes=[1], keepdims=0)
        classes = graph.node("ArgMax", scores, axis=1, keepdims=0)
        # What is no number differs from itself.
        finite = graph.node("Equal", graph.node("Sub", boxes, boxes), zero)
        whole = graph.node("ReduceMin", graph.node("Cast", finite, to=1), axes=[2], keepdims=0)
        usable = graph.node("Mul", graph.node("Gather", WANTED, classes), whole)
        passing = graph.node("Where", graph.node("Greater", best, THRESHOLD), best, zero)
        rank = graph.node("Mul", passing, usable)
        count = _sliced(graph, graph.node("Shape", rank), 0, 1, 2)
        most = graph.node("Min", count, graph.constant([MAXIMUM_CANDIDATES], np.int64))
        top, places = graph.nodes("TopK", rank, most, outputs=["top_scores", "places"], axis=1)
        rows = graph.node("Unsqueeze", places, graph.constant([2], np.int64))
        kept = graph.node("GatherND", boxes, rows, batch_dims=1)
        return cls(graph, kept, top, graph.node("GatherElements", classes, places, axis=1))

    def suppressed(self) -> str:
        graph = self._graph
        kinds = graph.node("Unsqueeze", graph.node("Cast", self._classes, to=1), _axis(graph, 2))
        # Only the centre moves, so that sizes keep their precision.
        places = graph.node("Mul", graph.node("Mul", kinds, APART), graph.constant([1, 1, 0, 0], np.float32))
        moved = graph.node("Add", self._boxes, places)
        scores = graph.node("Unsqueeze", self._scores, _axis(graph, 1))
        chosen = graph.node("NonMaxSuppression", moved, scores, LIMIT, OVERLAP, THRESHOLD, center_point_box=1)
        frame, _, row = (_sliced(graph, chosen, 1, column, column + 1) for column in range(3))
        where = graph.node("Concat", frame, row, axis=1)
        boxes = graph.node("GatherND", self._boxes, where)
        score, kind = (
            graph.node("Unsqueeze", graph.node("GatherND", column, where), _axis(graph, 1))
            for column in (self._scores, self._classes)
        )
        parts = [
            graph.node("Cast", frame, to=1),
            *_corners(graph, boxes),
            score,
            graph.node("Cast", kind, to=1),
        ]
        return graph.node("Concat", *parts, output=FOUND, axis=1)


def _read(graph: Graph, output: str, layout: Layout) -> tuple[str, str]:
    """Boxes (batch, n, 4) by centre and size, and scores (batch, classes, n), of a raw float output."""
    end = np.iinfo(np.int64).max
    if layout is Layout.YOLOV8:
        boxes = graph.node("Transpose", _sliced(graph, output, 1, 0, 4), perm=[0, 2, 1])
        return boxes, _sliced(graph, output, 1, 4, end)
    sure, classes = _sliced(graph, output, 2, 4, 5), _sliced(graph, output, 2, 5, end)
    scores = graph.node("Transpose", graph.node("Mul", classes, sure), perm=[0, 2, 1])
    return _sliced(graph, output, 2, 0, 4), scores


def _corners(graph: Graph, boxes: str) -> tuple[str, str]:
    centre = _sliced(graph, boxes, 1, 0, 2)
    half = graph.node("Mul", _sliced(graph, boxes, 1, 2, 4), graph.constant(0.5, np.float32))
    return graph.node("Sub", centre, half), graph.node("Add", centre, half)


def _resized(graph: Graph, plane: str, shape: tuple[int, ...], mode: str) -> str:
    """By the middles of pixels, without smoothing, as OpenCV's INTER_LINEAR or INTER_NEAREST_EXACT."""
    sizes, whole = graph.constant(shape, np.int64), graph.node("Cast", plane, to=1)
    return graph.node("Resize", whole, "", "", sizes, mode=mode,
                      coordinate_transformation_mode="half_pixel")  # fmt: skip


def _bordered(graph: Graph, picture: str, letterbox: Letterbox) -> str:
    if letterbox.inner == letterbox.size:
        return picture
    top, left = letterbox.corner
    bottom, right = (letterbox.size[axis] - letterbox.inner[axis] - letterbox.corner[axis] for axis in (0, 1))
    pads = graph.constant([0, 0, top, left, 0, 0, bottom, right], np.int64)
    return graph.node("Pad", picture, pads, graph.constant(GREY, np.float32), mode="constant")


def _finished(
    graph: Graph, planes: str, letterbox: Letterbox, batch: int, element: Any, normalise: bool
) -> bytes:
    """Float planes 0..255 as the network wants them."""
    if element is np.uint8:
        graph.node("Cast", graph.node("Round", planes), output=TENSOR, to=2)
        return graph.model(TENSOR, element, (batch, 3, *letterbox.size))
    factors, shifts = (
        np.reshape(part, (1, 3, 1, 1)) for part in zip(*channel_scales(normalise), strict=True)
    )
    scaled = graph.node("Mul", planes, graph.constant(factors, np.float32))
    if np.any(shifts):
        scaled = graph.node("Add", scaled, graph.constant(shifts, np.float32))
    graph.node("Cast", scaled, output=TENSOR, to=10 if element is np.float16 else 1)
    return graph.model(TENSOR, element, (batch, 3, *letterbox.size))


def _sliced(graph: Graph, tensor: str, axis: int, start: int, end: int) -> str:
    first, last, along = (graph.constant([value], np.int64) for value in (start, end, axis))
    return graph.node("Slice", tensor, first, last, along)


def _reshaped(graph: Graph, tensor: str, shape: tuple[int, ...]) -> str:
    return graph.node("Reshape", tensor, graph.constant(shape, np.int64))


def _axis(graph: Graph, axis: int) -> str:
    return graph.constant([axis], np.int64)
