"""Damaged videos from whole ones: what bit rot, a broken upload and a hostile hand do to a file."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

from tiny_videos import Picture, picture, write_video

FORMATS = [
    ("mpeg4", ".mp4"), ("libx264", ".mp4"), ("libx265", ".mp4"), ("libx264", ".mkv"), ("libx264", ".ts"),
    ("libvpx-vp9", ".webm"), ("mpeg4", ".avi"),
]  # fmt: skip


def whole_videos(folder: Path) -> list[Path]:
    """One short video of every format that the worker takes."""

    def draw(number: int) -> Picture:
        return picture([(20 + 5 * number, 48, number % 3)])

    codecs = [(codec, suffix, f"{codec}{suffix}") for codec, suffix in FORMATS]
    return [write_video(folder / name, 10, draw, codec=codec) for codec, _, name in codecs]


def mutate(data: bytes, chance: random.Random) -> tuple[bytes, list[str]]:
    """One to four mutations of ``data``, and their names, each once."""
    chosen = [chance.choice(_MUTATIONS) for _ in range(chance.randint(1, 4))]
    for mutation in chosen:
        data = mutation(data, chance)
    return data, sorted({mutation.__name__.strip("_").replace("_", " ") for mutation in chosen})


def _flip_bits(data: bytes, chance: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(chance.choice([1, 8, 64])):
        changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def _cut(data: bytes, chance: random.Random) -> bytes:
    return data[: max(1, chance.randrange(len(data)))]


def _remove(data: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(data))
    return data[:at] + data[at + chance.choice([1, 16, 300]) :] or b"\0"


def _insert(data: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(data))
    return data[:at] + chance.randbytes(chance.choice([1, 16, 300])) + data[at:]


def _extreme_number(data: bytes, chance: random.Random) -> bytes:
    """Four bytes become a number that a parser may trip over: a size, a count, a width."""
    value = chance.choice([0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x00FFFFFF, 0x7FFF7FFF])
    at = chance.randrange(max(1, len(data) - 4))
    return data[:at] + value.to_bytes(4, "big") + data[at + 4 :]


def _repeat(data: bytes, chance: random.Random) -> bytes:
    at, length = chance.randrange(len(data)), chance.choice([8, 64, 512])
    return data[:at] + data[at : at + length] * chance.randint(2, 20) + data[at + length :]


def _blank(data: bytes, chance: random.Random) -> bytes:
    at, length = chance.randrange(len(data)), chance.choice([8, 64, 512])
    return data[:at] + bytes(length) + data[at + length :]


_MUTATIONS: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    _flip_bits, _flip_bits, _extreme_number, _extreme_number, _cut, _remove, _insert, _repeat, _blank,
)  # fmt: skip
