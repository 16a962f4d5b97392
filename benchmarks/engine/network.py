"""A network of YOLOv8's shape with random weights, written with ``onnx``: what speed is measured with.

Speed does not depend on what a network has learnt, but on its layers; and on how many boxes are tracked,
which is why the same fifteen places answer a box in every frame: every arm then tracks the same boxes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

CLASSES = 80
BINS = 16
STRIDES = (8, 16, 32)
SPACING = 16
"""Cells of the finest map between two places that answer a box: these overlap too little to be suppressed."""
STEADY, SILENT = 0.8, 0.01
"""The scores of these places, and the highest of all others, on the frame that the network is set on."""
MARKS = "marks"


@dataclass(frozen=True, slots=True)
class Scale:
    """How YOLOv8's one plan is scaled: blocks in a stage, channels, and the most channels before that."""

    depth: float
    width: float
    most: int

    def channels(self, planned: int) -> int:
        """Channels of a layer that is planned with ``planned``."""
        return int(min(planned, self.most) * self.width)

    def repeats(self, planned: int) -> int:
        """Blocks of a stage that is planned with ``planned``."""
        return max(1, round(planned * self.depth))


SCALES = {"n": Scale(1 / 3, 0.25, 1024), "x": Scale(1.0, 1.25, 512)}


@dataclass
class Builder:
    """Collects nodes and weights; every method answers the name of what it made."""

    random: np.random.Generator
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    weights: dict[str, np.ndarray] = field(default_factory=dict)

    def node(self, kind: str, *inputs: str, **attributes: object) -> str:
        """One node with one output."""
        output = f"{kind.lower()}{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [output], **attributes))
        return output

    def constant(self, value: np.ndarray) -> str:
        """An initialiser."""
        name = f"c{len(self.weights)}"
        self.weights[name] = value
        return name

    def plain(self, x: str, inside: int, outside: int, kernel: int = 1, stride: int = 1) -> str:
        """A convolution with a bias and no activation."""
        deviation = np.sqrt(2 / (inside * kernel * kernel))
        weight = self.random.normal(0, deviation, (outside, inside, kernel, kernel)).astype(np.float32)
        bias = np.zeros(outside, np.float32)
        return self.node("Conv", x, self.constant(weight), self.constant(bias), kernel_shape=[kernel] * 2,
                         strides=[stride] * 2, pads=[kernel // 2] * 4)  # fmt: skip

    def conv(self, x: str, inside: int, outside: int, kernel: int = 1, stride: int = 1) -> str:
        """A convolution and SiLU; batch normalisation is folded into it, as exporters do."""
        x = self.plain(x, inside, outside, kernel, stride)
        return self.node("Mul", x, self.node("Sigmoid", x))

    def c2f(self, x: str, inside: int, outside: int, repeats: int, shortcut: bool) -> str:
        """The cross-stage block of YOLOv8."""
        half = outside // 2
        both = self.conv(x, inside, outside)
        name = f"split{len(self.nodes)}"
        sizes = self.constant(np.array([half, half], np.int64))
        self.nodes.append(helper.make_node("Split", [both, sizes], [f"{name}a", f"{name}b"], axis=1))
        parts = [f"{name}a", f"{name}b"]
        for _ in range(repeats):
            inner = self.conv(self.conv(parts[-1], half, half, 3), half, half, 3)
            parts.append(self.node("Add", parts[-1], inner) if shortcut else inner)
        return self.conv(self.node("Concat", *parts, axis=1), half * len(parts), outside)

    def sppf(self, x: str, channels: int) -> str:
        """Three poolings, one after the other."""
        parts = [self.conv(x, channels, channels // 2)]
        for _ in range(3):
            pooled = self.node("MaxPool", parts[-1], kernel_shape=[5, 5], pads=[2] * 4, strides=[1, 1])
            parts.append(pooled)
        return self.conv(self.node("Concat", *parts, axis=1), channels * 2, channels)

    def up(self, x: str) -> str:
        """Twice as large."""
        scales = self.constant(np.array([1, 1, 2, 2], np.float32))
        return self.node("Resize", x, "", scales, mode="nearest", nearest_mode="floor",
                         coordinate_transformation_mode="asymmetric")  # fmt: skip

    def cat(self, *parts: str) -> str:
        """Channels side by side."""
        return self.node("Concat", *parts, axis=1)


def features(b: Builder, scale: Scale) -> list[tuple[str, int]]:
    """The backbone and the neck: three maps with their channels."""
    c1, c2, c3, c4, c5 = (scale.channels(planned) for planned in (64, 128, 256, 512, 1024))
    few, many = scale.repeats(3), scale.repeats(6)
    x = b.conv(b.conv("images", 3, c1, 3, 2), c1, c2, 3, 2)
    x = b.c2f(x, c2, c2, few, True)
    p3 = b.c2f(b.conv(x, c2, c3, 3, 2), c3, c3, many, True)
    p4 = b.c2f(b.conv(p3, c3, c4, 3, 2), c4, c4, many, True)
    p5 = b.sppf(b.c2f(b.conv(p4, c4, c5, 3, 2), c5, c5, few, True), c5)
    n4 = b.c2f(b.cat(b.up(p5), p4), c5 + c4, c4, few, False)
    n3 = b.c2f(b.cat(b.up(n4), p3), c4 + c3, c3, few, False)
    n4 = b.c2f(b.cat(b.conv(n3, c3, c3, 3, 2), n4), c3 + c4, c4, few, False)
    n5 = b.c2f(b.cat(b.conv(n4, c4, c4, 3, 2), p5), c4 + c5, c5, few, False)
    return [(n3, c3), (n4, c4), (n5, c5)]


def head(b: Builder, maps: list[tuple[str, int]], size: tuple[int, int]) -> str:
    """The output (batch, 4 + classes, N)."""
    boxes, scores = [], []
    finest = maps[0][1]
    inner, deep = max(finest // 4, 4 * BINS), max(finest, CLASSES)
    for x, channels in maps:
        box = b.plain(b.conv(b.conv(x, channels, inner, 3), inner, inner, 3), inner, 4 * BINS)
        boxes.append(b.node("Reshape", box, b.constant(np.array([0, 4 * BINS, -1], np.int64))))
        score = b.plain(b.conv(b.conv(x, channels, deep, 3), deep, deep, 3), deep, CLASSES)
        scores.append(b.node("Reshape", score, b.constant(np.array([0, CLASSES, -1], np.int64))))
    distances = _expected_bins(b, b.node("Concat", *boxes, axis=2))
    corners = _decoded(b, distances, size)
    b.nodes.append(helper.make_node("Concat", scores, ["logits"], axis=2))
    b.weights[MARKS] = np.zeros(
        (1, CLASSES, sum((size[0] // s) * (size[1] // s) for s in STRIDES)), np.float32
    )
    marked = b.node("Add", "logits", MARKS)
    return b.node("Concat", corners, b.node("Sigmoid", marked), axis=1)


def _expected_bins(b: Builder, x: str) -> str:
    x = b.node("Reshape", x, b.constant(np.array([0, 4, BINS, -1], np.int64)))
    x = b.node("Softmax", b.node("Transpose", x, perm=[0, 2, 1, 3]), axis=1)
    weights = np.arange(BINS, dtype=np.float32).reshape(1, BINS, 1, 1)
    x = b.node("Conv", x, b.constant(weights), kernel_shape=[1, 1])
    return b.node("Reshape", x, b.constant(np.array([0, 4, -1], np.int64)))


def _decoded(b: Builder, distances: str, size: tuple[int, int]) -> str:
    points, strides = [], []
    for stride in STRIDES:
        rows, columns = np.mgrid[0 : size[0] // stride, 0 : size[1] // stride]
        points.append(np.stack([columns.ravel(), rows.ravel()]) + 0.5)
        strides.append(np.full(rows.size, stride))
    anchors = b.constant(np.concatenate(points, axis=1)[None].astype(np.float32))
    scale = b.constant(np.concatenate(strides)[None, None].astype(np.float32))
    halves = [f"near{len(b.nodes)}", f"far{len(b.nodes)}"]
    sizes = b.constant(np.array([2, 2], np.int64))
    b.nodes.append(helper.make_node("Split", [distances, sizes], halves, axis=1))
    first, last = b.node("Sub", anchors, halves[0]), b.node("Add", anchors, halves[1])
    centre = b.node("Mul", b.node("Add", first, last), b.constant(np.float32(0.5)))
    return b.node("Mul", b.node("Concat", centre, b.node("Sub", last, first), axis=1), scale)


def build(size: tuple[int, int], seed: int = 1, *, scale: str = "n", batch: int | str = 1) -> onnx.ModelProto:
    """The model for inputs of ``size`` (height, width), which answers no box yet; a ``batch`` with a name is
    any number."""
    b = Builder(np.random.default_rng(seed))
    output = head(b, features(b, SCALES[scale]), size)
    shape = [batch, 3, *size]
    graph = helper.make_graph(
        b.nodes, f"v8{scale}-shaped", [helper.make_tensor_value_info("images", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, None)],
        [numpy_helper.from_array(value, name) for name, value in b.weights.items()],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    helper.set_model_props(model, {
        "task": "detect", "stride": "32", "imgsz": str(list(size)), "batch": str(batch), "channels": "3",
        "names": str({index: f"class{index}" for index in range(CLASSES)}),
    })  # fmt: skip
    return model


def write_network(
    path: Path, size: tuple[int, int], tensor: np.ndarray, *, scale: str = "n", batch: int | str = 1
) -> Path:
    """Write the network, set on ``tensor``: its places answer class 0, and nothing else is above the
    threshold."""
    model = build(size, scale=scale, batch=batch)
    model.graph.output.append(helper.make_tensor_value_info("logits", TensorProto.FLOAT, None))
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    logits = session.run(["logits"], {"images": tensor})[0]
    del model.graph.output[-1]
    marks = np.full_like(logits, _logit(SILENT) - logits.max())
    rows, columns = (np.arange(SPACING // 2, side // STRIDES[0], SPACING) for side in size)
    places = (rows[:, None] * (size[1] // STRIDES[0]) + columns).ravel()
    marks[0, 0, places] = _logit(STEADY) - logits[0, 0, places]
    for weight in model.graph.initializer:
        if weight.name == MARKS:
            weight.CopyFrom(numpy_helper.from_array(marks, MARKS))
    path.write_bytes(model.SerializeToString())
    return path


def _logit(score: float) -> np.float32:
    return np.float32(np.log(score / (1 - score)))
