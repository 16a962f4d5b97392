"""ONNX graphs with one thing in each that a runtime would follow, and what of it the verifier names."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

IMAGE = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, "h", 8])
ANSWER = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
WEIGHT = numpy_helper.from_array(np.ones(4, np.float32), "w")


def model(nodes: list, initializers: list = (), **rest) -> onnx.ModelProto:
    graph = helper.make_graph(list(nodes), "g", [IMAGE], [ANSWER], list(initializers))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9, **rest)


def node(kind: str, *inputs: str, output: str = "y", **attributes) -> onnx.NodeProto:
    return helper.make_node(kind, list(inputs), [output], **attributes)


def elsewhere(tensor: onnx.TensorProto, location: str = "../../etc/passwd") -> onnx.TensorProto:
    away = onnx.TensorProto()
    away.CopyFrom(tensor)
    away.ClearField("raw_data")
    away.data_location = TensorProto.EXTERNAL
    away.external_data.add(key="location", value=location)
    return away


def subgraph(initializer: onnx.TensorProto) -> onnx.GraphProto:
    return helper.make_graph([node("Identity", "w")], "inner", [], [ANSWER], [initializer])


def branches(then: onnx.GraphProto) -> onnx.ModelProto:
    yes = numpy_helper.from_array(np.array(True), "yes")
    either = helper.make_node("If", ["yes"], ["y"], then_branch=then, else_branch=subgraph(WEIGHT))
    return model([either], [yes])


def function(inner: onnx.NodeProto) -> onnx.ModelProto:
    return calling({"F": [inner]})


def calling(functions: dict[str, list[onnx.NodeProto]], more: int = 0) -> onnx.ModelProto:
    """A graph that calls the last of ``functions`` (nodes by name, from ``a`` to ``y``); ``more`` of the same
    again."""
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ours", 1)]
    bodies = [
        helper.make_function("ours", name, ["a"], ["y"], nodes, opsets) for name, nodes in functions.items()
    ]
    return model([call(list(functions)[-1], "x")], functions=bodies + bodies[:1] * more)


def call(name: str, given: str, output: str = "y") -> onnx.NodeProto:
    return helper.make_node(name, [given], [output], domain="ours")


def laughter(levels: int) -> onnx.ModelProto:
    """Functions of which each calls the one before it twice."""
    functions = {"F0": [node("Relu", "a")]}
    for level in range(1, levels):
        functions[f"F{level}"] = [call(f"F{level - 1}", "a", "b"), call(f"F{level - 1}", "b")]
    return calling(functions)


def _sparse() -> onnx.ModelProto:
    made = model([node("Relu", "x")])
    sparse = made.graph.sparse_initializer.add(dims=[9])
    sparse.values.CopyFrom(elsewhere(WEIGHT))
    return made


def _lying(**changes) -> onnx.ModelProto:
    made = model([node("Relu", "x")], [WEIGHT])
    for name, value in changes.items():
        if name == "dims":
            made.graph.initializer[0].ClearField("dims")
            made.graph.initializer[0].dims.extend(value)
        else:
            setattr(made.graph.initializer[0], name, value)
    return made


def deep(levels: int) -> onnx.ModelProto:
    graph = subgraph(WEIGHT)
    for _ in range(levels):
        either = helper.make_node("If", ["yes"], ["y"], then_branch=graph, else_branch=subgraph(WEIGHT))
        graph = helper.make_graph([either], "deeper", [], [ANSWER])
    return branches(graph)


def filling(shape: list[int], kind: str = "ConstantOfShape", way: str = "initializer") -> onnx.ModelProto:
    given = [shape] if kind == "ConstantOfShape" else ["x", shape]
    names = [name if isinstance(name, str) else "shape" for name in given]
    values = np.array(shape, np.int64)
    if way == "initializer":
        return model([node(kind, *names)], [numpy_helper.from_array(values, "shape")])
    attribute = {"value": numpy_helper.from_array(values)} if way == "tensor" else {"value_ints": shape}
    return model([node("Constant", output="shape", **attribute), node(kind, *names)])


GRAPHS: dict[str, tuple[Callable[[], onnx.ModelProto], str]] = {
    "weights in another file": (lambda: model([node("Relu", "x")], [elsewhere(WEIGHT)]), "another file"),
    "in one of the machine's": (
        lambda: model([node("Relu", "x")], [elsewhere(WEIGHT, "/etc/passwd")]), "another file",
    ),
    "in a device": (
        lambda: model([node("Relu", "x")], [elsewhere(WEIGHT, "/dev/zero")]), "another file",
    ),
    "in an attribute": (lambda: model([node("Constant", value=elsewhere(WEIGHT))]), "another file"),
    "in a branch": (lambda: branches(subgraph(elsewhere(WEIGHT))), "another file"),
    "in a function": (lambda: function(node("Constant", value=elsewhere(WEIGHT))), "another file"),
    "in a sparse tensor": (_sparse, "another file"),
    "an operator of its own": (
        lambda: model([helper.make_node("Relu", ["x"], ["y"], domain="evil.org")]), "evil.org:Relu",
    ),
    "an operator that runs Python": (
        lambda: model([helper.make_node("PyOp", ["x"], ["y"], domain="ai.onnx.contrib", module="os",
                                        class_name="system")]), "ai.onnx.contrib:PyOp",
    ),
    "a tokeniser, which opens files": (
        lambda: model([helper.make_node("Tokenizer", ["x"], ["y"], domain="com.microsoft")]), "Tokenizer",
    ),
    "an operator for training": (
        lambda: model([helper.make_node("Adam", ["x"], ["y"], domain="ai.onnx.preview.training")]), "Adam",
    ),
    "an unknown operator": (lambda: model([node("Launch", "x")]), "Launch"),
    "one in a function": (lambda: function(node("Launch", "a")), "Launch"),
    "one in a branch": (
        lambda: branches(helper.make_graph([node("Launch", "x")], "inner", [], [ANSWER])), "Launch",
    ),
    "a loop": (lambda: model([node("Loop", "x")]), "Loop"),
    "a scan": (lambda: model([node("Scan", "x")]), "Scan"),
    "a function that calls itself": (lambda: calling({"F": [call("F", "a")]}), "calls itself"),
    "two that call each other": (
        lambda: calling({"F": [call("G", "a")], "G": [call("F", "a")]}), "calls itself",
    ),
    "a thousand million nodes in 31 functions": (lambda: laughter(31), "write out into more than"),
    "functions deeper than any stack": (
        lambda: calling({"F0": [node("Relu", "a")]} | {
            f"F{level}": [call(f"F{level - 1}", "a")] for level in range(1, 2_000)}), "too deep",
    ),
    "a function with two bodies": (lambda: calling({"F": [node("Relu", "a")]}, more=1), "defined twice"),
    "a tensor that holds less than it says": (lambda: _lying(dims=[5]), "says 20 bytes and holds 16"),
    "one with a negative side": (lambda: _lying(dims=[-4]), "damaged"),
    "one with a boundless side": (lambda: _lying(dims=[1 << 40, 4], raw_data=b""), "damaged"),
    "strings": (lambda: _lying(data_type=TensorProto.STRING), "elements of type 8"),
    "a type that does not exist": (lambda: _lying(data_type=99), "elements of type 99"),
    "a graph without a bottom": (lambda: deep(12), "nested"),
    "a terabyte of zeros": (lambda: filling([1 << 20, 1 << 20]), "is asked for"),
    "the same in a constant": (lambda: filling([1 << 40], way="tensor"), "is asked for"),
    "the same in integers": (lambda: filling([1 << 40], way="integers"), "is asked for"),
    "one picture repeated": (lambda: filling([1 << 20, 1 << 20], "Tile"), "is asked for"),
}  # fmt: skip
