"""A detector of a few hundred bytes and a video of a few frames, for tests of the worker as a process."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

BOX = (8.0, 12.0, 40.0, 52.0)
"""Left, top, right, bottom in the model's 64x64 input."""


def write_bright_box_model(path: Path) -> Path:
    """An end-to-end model, 64x64: one box at :data:`BOX`, whose score is the image's greatest value."""
    box = numpy_helper.from_array(np.array([[[*BOX]]], np.float32), "box")
    kind = numpy_helper.from_array(np.array([[[0.0]]], np.float32), "kind")
    shape = numpy_helper.from_array(np.array([1, 1, 1], np.int64), "shape")
    nodes = [
        helper.make_node("ReduceMax", ["images"], ["brightest"], keepdims=0),
        helper.make_node("Reshape", ["brightest", "shape"], ["score"]),
        helper.make_node("Concat", ["box", "score", "kind"], ["output0"], axis=2),
    ]
    image = helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, 64, 64])
    output = helper.make_tensor_value_info("output0", TensorProto.FLOAT, [1, 1, 6])
    graph = helper.make_graph(nodes, "bright-box", [image], [output], [box, kind, shape])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    for name, value in {
        "names": "{0: 'urchin'}",
        "stride": "32",
        "task": "detect",
        "end2end": "True",
    }.items():
        model.metadata_props.add(key=name, value=value)
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, path)
    return path


def write_video(path: Path, frames: int, size: int = 64, value: int = 230) -> Path:
    """A video of one grey, ``size`` x ``size`` pixels, MPEG-4."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=30)
        stream.width = stream.height = size
        stream.pix_fmt = "yuv420p"
        picture = av.VideoFrame.from_ndarray(np.full((size, size, 3), value, np.uint8), format="rgb24")
        for number in range(frames):
            picture.pts = number
            container.mux(stream.encode(picture))
        container.mux(stream.encode())
    return path
