"""Writes small ONNX graphs, byte by byte, for what is to run beside a network on its own device.

The worker reads models without the package ``onnx`` (``onnxfile``), and needs no more than this to write one.
Source: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

OPSET, FORMAT = 17, 9
"""The operators' version and the file's, old enough for every runtime that a worker may have."""
ELEMENTS: dict[Any, int] = {np.float32: 1, np.uint8: 2, np.int64: 7, np.float16: 10}
_FLOAT, _INTEGER, _INTEGERS, _TEXT = 1, 2, 7, 3
"""AttributeProto.AttributeType."""

Shape = Sequence[int | str]
"""Sides of a tensor; a name is any length."""


@dataclass(slots=True)
class Graph:
    """A graph under construction: call :meth:`node` in the order in which things are computed."""

    name: str
    _nodes: list[bytes] = field(default_factory=list)
    _constants: list[bytes] = field(default_factory=list)
    _inputs: list[bytes] = field(default_factory=list)
    _count: int = 0

    def input(self, name: str, element: Any, shape: Shape) -> str:
        """Declare an input; answers its name, as all of these do."""
        self._inputs.append(_value(name, element, shape))
        return name

    def constant(self, value: npt.ArrayLike, element: Any) -> str:
        """A tensor whose values are part of the graph."""
        name, array = self._fresh("constant"), np.ascontiguousarray(value, element)
        sides = b"".join(_number(1, side) for side in np.shape(value))
        content = (
            sides + _number(2, ELEMENTS[element]) + _bytes(8, name.encode()) + _bytes(9, array.tobytes())
        )
        self._constants.append(content)
        return name

    def node(self, kind: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        """One operator with one output."""
        return self.nodes(kind, *inputs, outputs=[output or self._fresh(kind)], **attributes)[0]

    def nodes(self, kind: str, *inputs: str, outputs: Sequence[str], **attributes: Any) -> Sequence[str]:
        """One operator with several outputs."""
        content = b"".join(_bytes(1, name.encode()) for name in inputs)
        content += b"".join(_bytes(2, name.encode()) for name in outputs) + _bytes(4, kind.encode())
        content += b"".join(_bytes(5, _attribute(name, value)) for name, value in attributes.items())
        self._nodes.append(content)
        return outputs

    def model(self, output: str, element: Any, shape: Shape) -> bytes:
        """The whole file, whose only output is ``output``."""
        parts = [(1, part) for part in self._nodes] + [(2, self.name.encode())]
        parts += [(5, part) for part in self._constants] + [(11, part) for part in self._inputs]
        graph = b"".join(_bytes(number, part) for number, part in parts)
        graph += _bytes(12, _value(output, element, shape))
        return _number(1, FORMAT) + _bytes(7, graph) + _bytes(8, _bytes(1, b"") + _number(2, OPSET))

    def _fresh(self, word: str) -> str:
        self._count += 1
        return f"{word.lower()}_{self._count}"


def _value(name: str, element: Any, shape: Shape) -> bytes:
    """ValueInfoProto {name 1, type 2 {tensor_type 1 {elem_type 1, shape 2 {dim 1 {value 1 | name 2}}}}}."""
    sides = b"".join(
        _bytes(1, _number(1, side) if isinstance(side, int) else _bytes(2, side.encode())) for side in shape
    )
    kind = _bytes(1, _number(1, ELEMENTS[element]) + _bytes(2, sides))
    return _bytes(1, name.encode()) + _bytes(2, kind)


def _attribute(name: str, value: Any) -> bytes:
    if isinstance(value, str):
        kind, content = _TEXT, _bytes(4, value.encode())
    elif isinstance(value, float):
        kind, content = _FLOAT, bytes([2 << 3 | 5]) + struct.pack("<f", value)
    elif isinstance(value, int):
        kind, content = _INTEGER, _number(3, value)
    else:
        kind, content = _INTEGERS, b"".join(_number(8, one) for one in value)
    return _bytes(1, name.encode()) + content + _number(20, kind)


def _number(field_number: int, value: int) -> bytes:
    return _varint(field_number << 3) + _varint(value & 0xFFFF_FFFF_FFFF_FFFF)


def _bytes(field_number: int, content: bytes) -> bytes:
    return _varint(field_number << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    digits = bytearray()
    while value > 0x7F:
        digits.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*digits, value])
