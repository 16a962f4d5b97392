"""A file cut at its keyframes, so that several decoders work on it at once and answer what one would.

A span is an interval of time stamps that starts with a keyframe. Pictures that stand behind a keyframe in the
file and are shown before it (an open group's leading pictures, ITU-T H.265 8.3.3) need the pictures before
it: they belong to the span before, whose decoder reads on until it has shown its last.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import av

from shoal_worker.container import open_container
from shoal_worker.readahead import read_ahead

Item = TypeVar("Item")
FEWEST_FRAMES = 60
"""A span of fewer frames costs more to open than it saves."""


@dataclass(frozen=True, slots=True)
class Span:
    """Frames whose time stamp is at least ``first`` and below ``end`` (None: no bound), in stream units."""

    first: int | None
    end: int | None


WHOLE = Span(None, None)


@dataclass(frozen=True, slots=True)
class Plan:
    """The spans of a file, in order, and how many ``packets`` it has (None where it was not looked
    through)."""

    spans: tuple[Span, ...] = (WHOLE,)
    packets: int | None = None


def plan_spans(path: Path, decoders: int, fewest: int = FEWEST_FRAMES) -> Plan:
    """Cut a file for ``decoders`` decoders; one span where one is asked for, or where the file's time stamps
    do not allow a cut: a packet without one, or two with the same.

    Raises:
        VideoError: the file cannot be opened.
    """
    if decoders < 2:
        return Plan()
    stamps: list[int] = []
    keys: list[int] = []
    with open_container(path) as container:
        for packet in _packets(container):
            if packet.pts is None or packet.is_corrupt or packet.is_discard:
                return Plan()
            stamps.append(packet.pts)
            if packet.is_keyframe:
                keys.append(packet.pts)
    if len(set(stamps)) < len(stamps) or not stamps:
        return Plan()
    bounds = _bounds(sorted(stamps), sorted(keys), fewest)
    ends = [*bounds, None]
    return Plan(
        tuple(Span(first, end) for first, end in zip([None, *bounds], ends, strict=True)), len(stamps)
    )


def _packets(container: av.container.InputContainer) -> Iterator[av.Packet]:
    if container.streams.video:
        with contextlib.suppress(av.error.InvalidDataError, av.error.BlockingIOError, IndexError):
            yield from (packet for packet in container.demux(container.streams.video[0]) if packet.size)


def _bounds(stamps: list[int], keys: list[int], fewest: int) -> list[int]:
    """The keyframes where a span starts, but for the first: at least ``fewest`` frames apart."""
    place = {stamp: index for index, stamp in enumerate(stamps)}
    bounds, last = [], 0
    for key in keys:
        if place[key] - last >= fewest and len(stamps) - place[key] >= fewest:
            bounds.append(key)
            last = place[key]
    return bounds


def in_order(sources: Iterable[Callable[[], Iterable[Item]]], width: int, depth: int) -> Iterator[Item]:
    """The items of all sources, one source after the other, while ``width`` of them run at once, each at most
    ``depth`` items ahead. Closing the iterator ends them all."""
    remaining = iter(sources)
    running: deque[tuple[contextlib.ExitStack, Iterator[Item]]] = deque()

    def start() -> None:
        source = next(remaining, None)
        if source is not None:
            stack = contextlib.ExitStack()
            running.append((stack, stack.enter_context(read_ahead(source(), depth))))

    try:
        for _ in range(width):
            start()
        while running:
            stack, items = running[0]
            yield from items
            stack.close()
            running.popleft()
            start()
    finally:
        for stack, _ in running:
            stack.close()
