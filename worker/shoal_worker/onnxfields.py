"""The parts of an ONNX file that are read: tensors' heads, inputs and outputs, pairs of texts.

Source: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

from shoal_worker.errors import ModelError
from shoal_worker.protobuf import Malformed, Value, fields, integers, signed, text

MAXIMUM_TENSOR = 2 * 1024**3


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """An input or output: its name, its element type by ONNX's number, and its sides (None: any)."""

    name: str
    element: int
    shape: tuple[int | None, ...]


@dataclass(slots=True)
class Tensor:
    """A TensorProto's head: ``raw`` is None where the numbers are in their own field."""

    name: str = ""
    kind: int = 0
    sides: list[int] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    raw: memoryview | None = None

    @classmethod
    def read(cls, view: Value) -> Tensor:
        """Raises ModelError where the values lie in another file."""
        tensor = cls()
        for number, value in message(view):
            if number == 1:
                tensor.sides += integers(value)
            elif number == 2:
                tensor.kind = whole(value)
            elif number == 7:
                tensor.numbers += integers(value)
            elif number == 8:
                tensor.name = text(value)
            elif number == 9 and isinstance(value, memoryview):
                tensor.raw = value
            elif number == 13 or (number == 14 and value):
                raise ModelError("the model keeps weights in another file: export it as one file")
        return tensor


def message(view: Value) -> Iterator[tuple[int, Value]]:
    """The fields of a message; raises Malformed for anything else."""
    if not isinstance(view, memoryview):
        raise Malformed("a message was expected")
    return fields(view)


def whole(value: Value) -> int:
    """A number; raises Malformed for anything else."""
    if not isinstance(value, int):
        raise Malformed("a number was expected")
    return signed(value)


def elements(sides: list[int]) -> int:
    """How many elements a tensor of ``sides`` has; raises ModelError where that is out of bounds."""
    if any(side < 0 for side in sides) or len(sides) > 16 or math.prod(sides) > MAXIMUM_TENSOR:
        raise ModelError(f"a tensor's sides are {sides[:16]}: the model is damaged, export it again")
    return math.prod(sides)


def pair(view: Value) -> tuple[str, str]:
    """StringStringEntryProto {key 1, value 2}."""
    key = content = ""
    for number, value in message(view):
        if number == 1:
            key = text(value)
        elif number == 2:
            content = text(value)
    return key, content


def tensor_info(view: Value) -> TensorInfo:
    """ValueInfoProto {name 1, type 2 {tensor_type 1 {elem_type 1, shape 2 {dim 1 {dim_value 1}}}}}."""
    name, element, sides = "", 0, []
    for number, value in message(view):
        if number == 1:
            name = text(value)
        if number == 2:
            for inner, content in _inside(value, 1):
                if inner == 1:
                    element = whole(content)
                if inner == 2:
                    sides = [_side(side) for dimension, side in message(content) if dimension == 1]
    return TensorInfo(name, element, tuple(sides))


def _inside(view: Value, wanted: int) -> Iterator[tuple[int, Value]]:
    for number, value in message(view):
        if number == wanted:
            yield from message(value)


def _side(view: Value) -> int | None:
    for number, value in message(view):
        if number == 1:
            return whole(value)
    return None
