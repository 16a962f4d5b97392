"""Walks the wire format of protocol buffers without building messages, so that a file larger than memory, or
a hostile one, costs no more than it is long.

Source: https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5
Value = int | memoryview
_VARINT_BYTES = 10


class Malformed(Exception):
    """The bytes are no message: a field is cut off, or its type does not exist."""


def fields(message: memoryview) -> Iterator[tuple[int, Value]]:
    """Every field of a message in order: (number, value).

    A value is an int for varints and fixed fields, and a view of the bytes for strings, messages and packed
    lists.

    Raises:
        Malformed: at the first field that cannot be read.
    """
    position, end = 0, len(message)
    while position < end:
        key, position = _varint(message, position)
        number, wire = key >> 3, key & 7
        if number == 0:
            raise Malformed("field 0")
        if wire == VARINT:
            value, position = _varint(message, position)
            yield number, value
            continue
        length, position = _length(message, position, wire)
        if position + length > end:
            raise Malformed(f"field {number} is cut off")
        content = message[position : position + length]
        position += length
        yield number, content if wire == LENGTH else int.from_bytes(content, "little")


def _length(message: memoryview, position: int, wire: int) -> tuple[int, int]:
    if wire == LENGTH:
        return _varint(message, position)
    if wire == FIXED64:
        return 8, position
    if wire == FIXED32:
        return 4, position
    raise Malformed(f"wire type {wire}")


def _varint(message: memoryview, position: int) -> tuple[int, int]:
    value = 0
    for index in range(_VARINT_BYTES):
        if position + index >= len(message):
            raise Malformed("a number is cut off")
        byte = message[position + index]
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return value & 0xFFFF_FFFF_FFFF_FFFF, position + index + 1
    raise Malformed("a number is longer than 64 bits")


def signed(value: int) -> int:
    """An int64 field as it was meant: negative numbers travel as their two's complement."""
    return value - (1 << 64) if value >= 1 << 63 else value


def integers(value: Value) -> list[int]:
    """The numbers of a repeated int64 field, packed or one by one."""
    if isinstance(value, int):
        return [signed(value)]
    numbers, position = [], 0
    while position < len(value):
        number, position = _varint(value, position)
        numbers.append(signed(number))
    return numbers


def text(value: Value) -> str:
    """A string field; bytes that are no UTF-8 are replaced."""
    return bytes(value).decode("utf-8", "replace") if isinstance(value, memoryview) else ""


def int64s(raw: memoryview) -> tuple[int, ...]:
    """Little-endian 64-bit integers, as TensorProto.raw_data holds them."""
    return struct.unpack(f"<{len(raw) // 8}q", raw[: len(raw) // 8 * 8])
