"""The verifier: what a detector may hold passes, everything else is refused before a runtime sees it."""

from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from shoal_worker.errors import ModelError
from shoal_worker.model import load_model
from shoal_worker.onnxfile import OnnxFile, TensorInfo, verify_onnx
from tiny_models import LAYOUTS, write_model

IMAGE = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, "h", 8])
ANSWER = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
WEIGHT = numpy_helper.from_array(np.ones(4, np.float32), "w")


def _model(nodes: list, initializers: list = (), **rest) -> onnx.ModelProto:
    graph = helper.make_graph(list(nodes), "g", [IMAGE], [ANSWER], list(initializers))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9, **rest)


def _save(path: Path, model: onnx.ModelProto) -> Path:
    path.write_bytes(model.SerializeToString())
    return path


def _node(kind: str, *inputs: str, output: str = "y", **attributes) -> onnx.NodeProto:
    return helper.make_node(kind, list(inputs), [output], **attributes)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_detector_passes_and_says_what_it_takes(tmp_path, layout):
    declared = verify_onnx(write_model(tmp_path / "m.onnx", layout, size=None))
    assert declared.inputs == (TensorInfo("images", TensorProto.FLOAT, (1, 3, None, None)),)
    assert [output.name for output in declared.outputs] == ["output0"]
    assert declared.metadata["stride"] == "8"
    assert {"AveragePool", "Reshape"} <= declared.operators


def _elsewhere(tensor: onnx.TensorProto) -> onnx.TensorProto:
    away = onnx.TensorProto()
    away.CopyFrom(tensor)
    away.ClearField("raw_data")
    away.data_location = TensorProto.EXTERNAL
    away.external_data.add(key="location", value="../../etc/passwd")
    return away


def _subgraph(initializer: onnx.TensorProto) -> onnx.GraphProto:
    return helper.make_graph([_node("Identity", "w")], "inner", [], [ANSWER], [initializer])


def _branches(then: onnx.GraphProto) -> onnx.ModelProto:
    yes = numpy_helper.from_array(np.array(True), "yes")
    node = helper.make_node("If", ["yes"], ["y"], then_branch=then, else_branch=_subgraph(WEIGHT))
    return _model([node], [yes])


def _function(node: onnx.NodeProto) -> onnx.ModelProto:
    body = helper.make_function("ours", "F", ["a"], ["y"], [node], [helper.make_opsetid("", 17)])
    call = helper.make_node("F", ["x"], ["y"], domain="ours")
    return _model([call], functions=[body])


def _sparse() -> onnx.ModelProto:
    model = _model([_node("Relu", "x")])
    sparse = model.graph.sparse_initializer.add(dims=[9])
    sparse.values.CopyFrom(_elsewhere(WEIGHT))
    return model


def _lying(**changes) -> onnx.ModelProto:
    model = _model([_node("Relu", "x")], [WEIGHT])
    for name, value in changes.items():
        if name == "dims":
            model.graph.initializer[0].ClearField("dims")
            model.graph.initializer[0].dims.extend(value)
        else:
            setattr(model.graph.initializer[0], name, value)
    return model


def _deep(levels: int) -> onnx.ModelProto:
    graph = _subgraph(WEIGHT)
    for _ in range(levels):
        node = helper.make_node("If", ["yes"], ["y"], then_branch=graph, else_branch=_subgraph(WEIGHT))
        graph = helper.make_graph([node], "deeper", [], [ANSWER])
    return _branches(graph)


def _filling(shape: list[int], kind: str = "ConstantOfShape", way: str = "initializer") -> onnx.ModelProto:
    given = [shape] if kind == "ConstantOfShape" else ["x", shape]
    names = [name if isinstance(name, str) else "shape" for name in given]
    values = np.array(shape, np.int64)
    if way == "initializer":
        return _model([_node(kind, *names)], [numpy_helper.from_array(values, "shape")])
    attribute = {"value": numpy_helper.from_array(values)} if way == "tensor" else {"value_ints": shape}
    return _model([_node("Constant", output="shape", **attribute), _node(kind, *names)])


HOSTILE = {
    "weights in another file": (lambda: _model([_node("Relu", "x")], [_elsewhere(WEIGHT)]), "another file"),
    "in an attribute": (lambda: _model([_node("Constant", value=_elsewhere(WEIGHT))]), "another file"),
    "in a branch": (lambda: _branches(_subgraph(_elsewhere(WEIGHT))), "another file"),
    "in a function": (lambda: _function(_node("Constant", value=_elsewhere(WEIGHT))), "another file"),
    "in a sparse tensor": (_sparse, "another file"),
    "an operator of its own": (
        lambda: _model([helper.make_node("Relu", ["x"], ["y"], domain="evil.org")]), "evil.org:Relu",
    ),
    "an unknown operator": (lambda: _model([_node("Launch", "x")]), "Launch"),
    "one in a function": (lambda: _function(_node("Launch", "a")), "Launch"),
    "one in a branch": (
        lambda: _branches(helper.make_graph([_node("Launch", "x")], "inner", [], [ANSWER])), "Launch",
    ),
    "a loop": (lambda: _model([_node("Loop", "x")]), "Loop"),
    "a tensor that holds less than it says": (lambda: _lying(dims=[5]), "says 20 bytes and holds 16"),
    "one with a negative side": (lambda: _lying(dims=[-4]), "damaged"),
    "one with a boundless side": (lambda: _lying(dims=[1 << 40, 4], raw_data=b""), "damaged"),
    "strings": (lambda: _lying(data_type=TensorProto.STRING), "elements of type 8"),
    "a type that does not exist": (lambda: _lying(data_type=99), "elements of type 99"),
    "a graph without a bottom": (lambda: _deep(12), "nested"),
    "a terabyte of zeros": (lambda: _filling([1 << 20, 1 << 20]), "is asked for"),
    "the same in a constant": (lambda: _filling([1 << 40], way="tensor"), "is asked for"),
    "the same in integers": (lambda: _filling([1 << 40], way="integers"), "is asked for"),
    "one picture repeated": (lambda: _filling([1 << 20, 1 << 20], "Tile"), "is asked for"),
}  # fmt: skip


@pytest.mark.parametrize("case", list(HOSTILE))
def test_what_no_detector_needs_is_refused(tmp_path, case):
    # Given a file with one thing in it that a runtime would follow
    make, says = HOSTILE[case]
    path = _save(tmp_path / "m.onnx", make())
    # When it is verified, Then that thing is named; and the worker refuses it before it opens a session
    with pytest.raises(ModelError, match=says):
        verify_onnx(path)
    with pytest.raises(ModelError, match=says):
        load_model(path)


@pytest.mark.parametrize(
    "make",
    [
        lambda: _model([_node("Relu", "x")], [WEIGHT]),
        lambda: _branches(_subgraph(WEIGHT)),
        lambda: _function(_node("Relu", "a")),
        lambda: _deep(4),
        lambda: _filling([1, 300, 6]),
        lambda: _model([helper.make_node("FusedConv", ["x"], ["y"], domain="com.microsoft")]),
    ],
)
def test_what_exporters_write_passes(tmp_path, make):
    assert verify_onnx(_save(tmp_path / "m.onnx", make())).inputs


@pytest.mark.parametrize("content", [b"", b"nonsense", b"\x80PK", b"\x3a\xff\xff\xff\xff\x0f", b"\x08" * 40])
def test_what_is_no_graph_is_refused(tmp_path, content):
    (tmp_path / "m.onnx").write_bytes(content)
    with pytest.raises(ModelError, match=r"no ONNX model|empty file"):
        verify_onnx(tmp_path / "m.onnx")


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    edits=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), max_size=8), cut=st.integers(0, 9)
)
def test_a_damaged_file_is_refused_or_read_and_nothing_else_happens(tmp_path, edits, cut):
    # Given a detector with some bytes overwritten, perhaps cut off
    data = bytearray(write_model(tmp_path / "m.onnx", "yolov8").read_bytes())
    for place, value in edits:
        data[place % len(data)] = value
    (tmp_path / "m.onnx").write_bytes(data[: len(data) - cut * 50])
    # When it is verified, Then it passes or is refused; no other error comes out
    with contextlib.suppress(ModelError):
        assert isinstance(verify_onnx(tmp_path / "m.onnx"), OnnxFile)
