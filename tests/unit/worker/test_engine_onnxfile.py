"""The verifier: what a detector may hold passes, everything else is refused before a runtime sees it."""

from __future__ import annotations

import contextlib
from pathlib import Path

import onnx
import pytest
from hostile_graphs import WEIGHT, branches, deep, filling, function, model, node, subgraph
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper
from shoal_worker.errors import ModelError
from shoal_worker.onnxfields import TensorInfo
from shoal_worker.onnxfile import OnnxFile, verify_onnx
from tiny_models import LAYOUTS, write_model


def _save(path: Path, model: onnx.ModelProto) -> Path:
    path.write_bytes(model.SerializeToString())
    return path


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_detector_passes_and_says_what_it_takes(tmp_path, layout):
    declared = verify_onnx(write_model(tmp_path / "m.onnx", layout, size=None))
    assert declared.inputs == (TensorInfo("images", TensorProto.FLOAT, (1, 3, None, None)),)
    assert [output.name for output in declared.outputs] == ["output0"]
    assert declared.metadata["stride"] == "8"
    assert {"AveragePool", "Reshape"} <= declared.operators


@pytest.mark.parametrize(
    "make",
    [
        lambda: model([node("Relu", "x")], [WEIGHT]),
        lambda: branches(subgraph(WEIGHT)),
        lambda: function(node("Relu", "a")),
        lambda: deep(4),
        lambda: filling([1, 300, 6]),
        lambda: model([helper.make_node("FusedConv", ["x"], ["y"], domain="com.microsoft")]),
    ],
)
def test_what_exporters_write_passes(tmp_path, make):
    assert verify_onnx(_save(tmp_path / "m.onnx", make())).inputs


@pytest.mark.parametrize("content", [b"", b"nonsense", b"\x80PK", b"\x3a\xff\xff\xff\xff\x0f", b"\x08" * 40])
def test_what_is_no_graph_is_refused(tmp_path, content):
    (tmp_path / "m.onnx").write_bytes(content)
    with pytest.raises(ModelError, match=r"no ONNX model|empty file"):
        verify_onnx(tmp_path / "m.onnx")


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
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
