"""What an ONNX file says of itself, read and verified before any runtime opens it.

A graph is data, not code, but data that a runtime in C++ will trust: it may name other files, ask for
terabytes, or call an operator that nobody reviewed. All of it is walked here: subgraphs, functions,
attributes and initialisers. Source: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
"""

from __future__ import annotations

import math
import mmap
from dataclasses import dataclass
from pathlib import Path

from shoal_worker.errors import ModelError
from shoal_worker.onnxfields import Tensor, TensorInfo, elements, message, pair, tensor_info
from shoal_worker.onnxoperators import OPERATORS
from shoal_worker.protobuf import Malformed, Value, fields, int64s, integers, text

MAXIMUM_NODES = 50_000
MAXIMUM_EXPANDED = 10_000
"""Nodes when every function is written out, as a runtime does: thirty, each calling the one before twice, are
a thousand million of them."""
MAXIMUM_DEPTH = 8
MAXIMUM_CALLS = 32
MAXIMUM_FILLED = 1 << 28
"""Elements that a constant shape may ask an operator to make: a gibibyte of floats."""
_INT64 = 7
_FILLING = {"ConstantOfShape", "Expand", "Tile"}
_BITS = {
    1: 32, 2: 8, 3: 8, 4: 16, 5: 16, 6: 32, 7: 64, 9: 8, 10: 16, 11: 64, 12: 32, 13: 64, 16: 16,
    17: 8, 18: 8, 19: 8, 20: 8, 21: 4, 22: 4,
}  # fmt: skip
"""TensorProto.DataType by its bits; strings (8) and complex numbers (14, 15) are not in it."""


Operator = tuple[str, str]
"""Domain and name."""


@dataclass(frozen=True, slots=True)
class OnnxFile:
    """What the file declares; ``operators`` are all that it uses, as ``domain:name`` or ``name``."""

    metadata: dict[str, str]
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    operators: frozenset[str]


def verify_onnx(path: Path) -> OnnxFile:
    """Walk the whole file and answer what it declares.

    Raises:
        ModelError: it is no ONNX graph, it names other files, a tensor or a shape is out of bounds, or an
        operator
            is not one that detectors use; the message says which.
    """
    with path.open("rb") as stream:
        if path.stat().st_size == 0:
            raise ModelError("the model is an empty file: export it again")
        # Not closed by hand: the traceback of an error still holds views of it.
        view = memoryview(mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ))
    try:
        return _Walk().model(view)
    except Malformed as error:
        raise ModelError(f"the file is no ONNX model ({error}): export it again") from error


class _Walk:
    """One file's walk: what was seen so far."""

    def __init__(self) -> None:
        self._nodes = 0
        self._used: list[Operator] = []
        self._shapes: dict[str, tuple[int, ...]] = {}
        self._filled: list[tuple[str, str]] = []

    def model(self, view: memoryview) -> OnnxFile:
        graphs, metadata = [], {}
        own: dict[Operator, list[Operator]] = {}
        for number, value in fields(view):
            if number == 7 and isinstance(value, memoryview):
                graphs.append(value)
            elif number == 14:
                key, content = pair(value)
                metadata[key] = content
            elif number == 25 and isinstance(value, memoryview):
                self._function(value, own)
        if len(graphs) != 1:
            raise ModelError("the file is no ONNX model (it holds no graph): export it again")
        before = len(self._used)
        inputs, outputs = self._graph(graphs[0], 0)
        _check_functions(own, self._used[before:])
        self._check_operators(set(own))
        self._check_filled()
        names = frozenset(f"{domain}:{name}" if domain else name for domain, name in self._used)
        return OnnxFile(metadata, inputs, outputs, names)

    def _function(self, view: memoryview, own: dict[Operator, list[Operator]]) -> None:
        """Add a function of the model's own to ``own``, with the operators that it calls."""
        name, domain, before = "", "", len(self._used)
        for number, value in fields(view):
            if number == 1:
                name = text(value)
            elif number == 10:
                domain = text(value)
            elif number == 7:
                self._node(value, 1)
            elif number == 11:
                self._attribute(value, 1)
        if (domain, name) in own:
            raise ModelError(f"the function {domain}:{name} is defined twice: export it again")
        own[domain, name] = self._used[before:]

    def _graph(self, view: Value, depth: int) -> tuple[tuple[TensorInfo, ...], tuple[TensorInfo, ...]]:
        if depth > MAXIMUM_DEPTH:
            raise ModelError(f"the graph is nested more than {MAXIMUM_DEPTH} deep: export it again")
        inputs, outputs, given = [], [], set()
        for number, value in message(view):
            if number == 1:
                self._node(value, depth)
            elif number == 5:
                given.add(self._tensor(value))
            elif number == 15:
                self._sparse(value)
            elif number == 11:
                inputs.append(tensor_info(value))
            elif number == 12:
                outputs.append(tensor_info(value))
        return tuple(info for info in inputs if info.name not in given), tuple(outputs)

    def _node(self, view: Value, depth: int) -> None:
        self._nodes += 1
        if self._nodes > MAXIMUM_NODES:
            raise ModelError(f"the graph has more than {MAXIMUM_NODES} nodes: a detector has a few hundred")
        name = domain = ""
        inputs, outputs, tensor = [], [], ""
        for number, value in message(view):
            if number == 1:
                inputs.append(text(value))
            elif number == 2:
                outputs.append(text(value))
            elif number == 4:
                name = text(value)
            elif number == 7:
                domain = text(value)
            elif number == 5:
                tensor = self._attribute(value, depth) or tensor
        self._used.append((domain, name))
        if name == "Constant" and outputs and tensor in self._shapes:
            self._shapes[outputs[0]] = self._shapes[tensor]
        if name in _FILLING and inputs:
            self._filled.append((name, inputs[-1]))

    def _attribute(self, view: Value, depth: int) -> str:
        """The name under which the values of a tensor or a list of integers are remembered, or nothing."""
        found, numbers = "", []
        for number, value in message(view):
            if number in (5, 10):
                found = self._tensor(value, anonymous=True)
            elif number == 8:
                numbers += integers(value)
            elif number in (22, 23):
                self._sparse(value)
            elif number in (6, 11):
                self._graph(value, depth + 1)
        if numbers:
            found = f"\0{self._nodes}"
            self._shapes[found] = tuple(numbers)
        return found

    def _sparse(self, view: Value) -> None:
        for number, value in message(view):
            if number in (1, 2):
                self._tensor(value)
            elif number == 3:
                elements(integers(value))

    def _tensor(self, view: Value, *, anonymous: bool = False) -> str:
        """Its name; its values are remembered where they are a short list of int64, as shapes are."""
        tensor = Tensor.read(view)
        if tensor.kind not in _BITS:
            raise ModelError(f"the tensor {tensor.name!r} has elements of type {tensor.kind}: use numbers")
        length = -(-elements(tensor.sides) * _BITS[tensor.kind] // 8)
        if tensor.raw is not None and len(tensor.raw) != length:
            raise ModelError(f"the tensor {tensor.name!r} says {length} bytes and holds {len(tensor.raw)}")
        name = f"\0{self._nodes}" if anonymous else tensor.name
        if tensor.kind == _INT64 and len(tensor.sides) <= 1:
            self._shapes[name] = tuple(tensor.numbers) if tensor.raw is None else int64s(tensor.raw)
        return name

    def _check_operators(self, own: set[Operator]) -> None:
        unknown = sorted(
            f"{domain}:{name}" if domain else name
            for domain, name in set(self._used)
            if (domain, name) not in own and name not in OPERATORS.get(domain, frozenset())
        )
        if unknown:
            raise ModelError(
                f"the model uses {', '.join(unknown[:5])}, which no detector that we read needs: "
                "export it with standard operators, without pre- or post-processing of your own"
            )

    def _check_filled(self) -> None:
        for operator, shape in self._filled:
            sides = self._shapes.get(shape, ())
            if math.prod(max(1, abs(side)) for side in sides) > MAXIMUM_FILLED:
                raise ModelError(
                    f"{operator} is asked for {'x'.join(map(str, sides))} elements: export it again"
                )


def _check_functions(own: dict[Operator, list[Operator]], used: list[Operator]) -> None:
    """Refuse functions that call themselves, or that would write out into a graph without bounds."""
    sizes: dict[Operator, int] = {}

    def size(operator: Operator, callers: tuple[Operator, ...]) -> int:
        if operator not in own:
            return 1
        if operator in callers or len(callers) >= MAXIMUM_CALLS:
            raise ModelError(f"the function {':'.join(operator)} calls itself, or others too deep")
        if operator not in sizes:
            sizes[operator] = total(own[operator], (*callers, operator))
        return sizes[operator]

    def total(operators: list[Operator], callers: tuple[Operator, ...] = ()) -> int:
        nodes = sum(size(one, callers) for one in operators)
        if own and nodes > MAXIMUM_EXPANDED:
            raise ModelError(f"its functions write out into more than {MAXIMUM_EXPANDED} nodes: inline them")
        return nodes

    total(used)
