"""Tiny ONNX detectors whose outputs are computed from the picture: a matched filter for bright squares.

Class 0, 1, 2 is red, green, blue: a square of ``SIDE`` pixels of the input in that colour scores 1 at its
centre. The same filter is exported in every layout that the worker reads.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SIDE = 32
STRIDE = 8
NAMES = ("red", "green", "blue")
LAYOUTS = ("yolov5", "yolov8", "end2end")
TRANSFORMERS = ("rtdetr", "detr", "rfdetr")
_TYPES = {"float": TensorProto.FLOAT, "half": TensorProto.FLOAT16, "uint8": TensorProto.UINT8}


def write_model(
    path: Path,
    layout: str,
    *,
    size: tuple[int, int] | None = (96, 160),
    kind: str = "float",
    metadata: dict[str, str] | None = None,
) -> Path:
    """Write a detector; ``size`` (height, width) None makes every side dynamic. ``metadata`` replaces the
    usual one."""
    nodes, constants = _filter(kind)
    if layout in TRANSFORMERS:
        tail, *outputs = _transformer(constants, layout, size or (96, 160))
        if layout == "rfdetr" and kind != "uint8":
            nodes = _as_it_was(nodes, constants)
    else:
        tail, *outputs = {"yolov5": _yolov5, "yolov8": _yolov8, "end2end": _end_to_end}[layout](constants)
    sides: list[int | str] = ["height", "width"] if size is None else list(size)
    graph = helper.make_graph(
        [*nodes, *tail],
        "squares",
        [helper.make_tensor_value_info("images", _TYPES[kind], [1, 3, *sides])],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, None) for output in outputs],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    helper.set_model_props(model, usual_metadata(layout) if metadata is None else metadata)
    onnx.save(model, path)
    return path


def usual_metadata(layout: str) -> dict[str, str]:
    """What the exporter of a layout writes."""
    common = {"names": str(dict(enumerate(NAMES))), "stride": str(STRIDE)}
    if layout == "yolov5" or layout in TRANSFORMERS:
        return common
    return common | {"task": "detect", "imgsz": "[96, 160]", "end2end": str(layout == "end2end")}


def _node(kind: str, inputs: str, output: str, **attributes: object) -> onnx.NodeProto:
    return helper.make_node(kind, inputs.split(), output.split(), **attributes)


def _filter(kind: str) -> tuple[list[onnx.NodeProto], dict[str, np.ndarray]]:
    """Scores (1, 3, N) and boxes (1, 4, N) as centre x, centre y, width, height."""
    constants = {
        "scale": np.float32(255 if kind == "uint8" else 1),
        "flat": np.array([1, 3, -1], np.int64),
        "stride": np.float32(STRIDE),
        "half_stride": np.float32(STRIDE / 2),
        "side": np.float32(SIDE),
        "zero": np.float32(0),
        "one": np.float32(1),
        "first": np.array([0], np.int64),
        "second": np.array([1], np.int64),
    }
    margin = (SIDE - STRIDE) // 2
    pool = {"kernel_shape": [SIDE] * 2, "strides": [STRIDE] * 2, "pads": [margin] * 4, "count_include_pad": 1}
    return [
        _node("Cast", "images", "pixels", to=TensorProto.FLOAT),
        _node("Div", "pixels scale", "scaled"),
        _node("AveragePool", "scaled", "response", **pool),
        _node("Reshape", "response flat", "scores"),
        _node("ReduceMax", "response", "plane", axes=[0, 1], keepdims=0),
        _node("Abs", "plane", "magnitude"),
        _node("Add", "magnitude one", "everywhere"),
        _node("NonZero", "everywhere", "cells"),
        _node("Cast", "cells", "grid", to=TensorProto.FLOAT),
        _node("Mul", "grid stride", "corners"),
        _node("Add", "corners half_stride", "centres"),
        _node("Gather", "centres second", "x", axis=0),
        _node("Gather", "centres first", "y", axis=0),
        _node("Mul", "x zero", "nothing"),
        _node("Add", "nothing side", "sides"),
        _node("Concat", "x y sides sides", "rows", axis=0),
        _node("Unsqueeze", "rows first", "boxes"),
    ], constants  # fmt: skip


def _yolov8(_: dict[str, np.ndarray]) -> tuple[list[onnx.NodeProto], str]:
    return [_node("Concat", "boxes scores", "output0", axis=1)], "output0"


def _yolov5(_: dict[str, np.ndarray]) -> tuple[list[onnx.NodeProto], str]:
    return [
        _node("ReduceMax", "scores", "best", axes=[1], keepdims=1),
        _node("Mul", "best zero", "blank"),
        _node("Add", "blank one", "objectness"),
        _node("Concat", "boxes objectness scores", "columns", axis=1),
        _node("Transpose", "columns", "output0", perm=[0, 2, 1]),
    ], "output0"  # fmt: skip


def _end_to_end(constants: dict[str, np.ndarray]) -> tuple[list[onnx.NodeProto], str]:
    constants["half_side"] = np.float32(SIDE / 2)
    constants["limit"] = np.array([2], np.int64)
    return [
        _node("ReduceMax", "scores", "best", axes=[1], keepdims=1),
        _node("ArgMax", "scores", "index", axis=1, keepdims=1),
        _node("Cast", "index", "class", to=TensorProto.FLOAT),
        _node("Unsqueeze", "x first", "x3"),
        _node("Unsqueeze", "y first", "y3"),
        _node("Sub", "x3 half_side", "left"),
        _node("Sub", "y3 half_side", "top"),
        _node("Add", "x3 half_side", "right"),
        _node("Add", "y3 half_side", "bottom"),
        _node("Concat", "left top right bottom best class", "columns", axis=1),
        _node("Squeeze", "best first", "line"),
        _node("TopK", "line limit", "values places", axis=1),
        _node("Squeeze", "places first", "chosen"),
        _node("Gather", "columns chosen", "picked", axis=2),
        _node("Transpose", "picked", "output0", perm=[0, 2, 1]),
    ], "output0"  # fmt: skip


def _transformer(
    constants: dict[str, np.ndarray], layout: str, size: tuple[int, int]
) -> tuple[list[onnx.NodeProto], ...]:
    """Boxes in shares of the input, and scores or logits; RF-DETR has a logit for the background too."""
    constants["shares"] = np.float32(1) / np.array([*size[::-1], *size[::-1]], np.float32)
    constants["least"], constants["most"] = np.float32(1e-6), np.float32(1 - 1e-6)
    rows = [
        _node("Transpose", "boxes", "tall", perm=[0, 2, 1]),
        _node("Mul", "tall shares", "pred_boxes" if layout == "detr" else "dets"),
        _node("Transpose", "scores", "likely", perm=[0, 2, 1]),
    ]
    if layout == "rtdetr":
        return [*rows, _node("Concat", "dets likely", "output0", axis=2)], "output0"
    rows += [
        _node("Clip", "likely least most", "share"),
        _node("Sub", "one share", "rest"),
        _node("Div", "share rest", "odds"),
        _node("Log", "odds", "logits"),
    ]
    if layout == "detr":
        return rows, "logits", "pred_boxes"
    rows += [
        _node("ReduceMax", "logits", "background", axes=[2], keepdims=1),
        _node("Concat", "logits background", "labels", axis=2),
    ]
    return rows, "dets", "labels"


def _as_it_was(nodes: list[onnx.NodeProto], constants: dict[str, np.ndarray]) -> list[onnx.NodeProto]:
    """The filter behind ImageNet's mean and deviation, which are taken back first."""
    constants["mean"] = np.array([0.485, 0.456, 0.406], np.float32).reshape(1, 3, 1, 1)
    constants["deviation"] = np.array([0.229, 0.224, 0.225], np.float32).reshape(1, 3, 1, 1)
    back = [_node("Mul", "scaled deviation", "wider"), _node("Add", "wider mean", "pictured")]
    rest = list(nodes[2:])
    rest[0].input[0] = "pictured"
    return [*nodes[:2], *back, *rest]


def write_embedder(
    path: Path,
    *,
    size: tuple[int | str, int | str] = (16, 12),
    batch: int | str = "batch",
    kind: str = "float",
    widen: int = 1,
    metadata: dict[str, str] | None = None,
) -> Path:
    """An appearance model: the mean colour of a crop, written ``widen`` times one behind the other."""
    nodes = [
        _node("Cast", "images", "pixels", to=TensorProto.FLOAT),
        _node("ReduceMean", "pixels", "mean", axes=[2, 3], keepdims=0),
        _node("Concat", " ".join(["mean"] * widen), "features", axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        "colours",
        [helper.make_tensor_value_info("images", _TYPES[kind], [batch, 3, *size])],
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, [batch, 3 * widen])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    helper.set_model_props(model, {"shoal.normalise": "unit"} if metadata is None else metadata)
    onnx.save(model, path)
    return path
