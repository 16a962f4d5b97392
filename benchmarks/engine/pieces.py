"""The small steps of a 1080p frame, each against its goal: ``python -m benchmarks.engine.pieces``.

The letterbox is what stands between a decoder and the network's tensor: from the decoded planes to an RGB
picture of the input's size, scaled, coloured and with its border. One OpenCV thread; a real clip's frames are
played forth and back, decoded beforehand.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from itertools import cycle, islice
from pathlib import Path
from typing import Any, NamedTuple

import av
import cv2
import numpy as np
from shoal_worker import Detections
from shoal_worker.frames import Image
from shoal_worker.motion import CameraMotion, Thumbnails
from shoal_worker.nms import suppress
from shoal_worker.planes import luma
from shoal_worker.prepare import Preparing
from shoal_worker.preprocess import Batcher, Letterbox
from shoal_worker.video import VideoReader

from benchmarks.engine.__main__ import CLIP, SIZE

LETTERBOX = "letterbox of a decoded 1080p frame to 640x640"
CAMERA = "camera motion of a decoded 1080p frame"
GOALS = {LETTERBOX: 0.4, CAMERA: 2.0, "suppression of 300 candidates": 0.3}


class Spent(NamedTuple):
    """Milliseconds of one call: of this thread's own time, which other programs do not lengthen, and by the
    clock."""

    processor: float
    wall: float


def once(work: Callable[[], object], repeats: int) -> Spent:
    """The medians of one round's calls."""
    times = []
    for _ in range(repeats):
        processor, wall = time.thread_time(), time.perf_counter()
        work()
        times.append((time.thread_time() - processor, time.perf_counter() - wall))
    return Spent(*(1000 * statistics.median(column) for column in zip(*times, strict=True)))


def by_turns(steps: dict[str, Callable[[], object]], rounds: int, repeats: int = 60) -> dict[str, Spent]:
    """Every step in every round; the medians of the rounds."""
    spent: dict[str, list[Spent]] = {name: [] for name in steps}
    for _ in range(rounds):
        for name, work in steps.items():
            spent[name].append(once(work, repeats))
    return {
        name: Spent(*(statistics.median(column) for column in zip(*runs, strict=True)))
        for name, runs in spent.items()
    }


def pieces(clip: Path, rounds: int) -> None:
    """Print the table."""
    with VideoReader(clip) as reader:
        frames = list(islice(reader.decoded(), 16))
    steps = _letterboxes(frames) | _camera(frames)
    steps |= {f"suppression of {n} candidates": _suppression(n) for n in (100, 300, 1000, 4000)}
    print("| step | processor, ms | by the clock, ms | goal, ms |\n|---|---:|---:|---:|")
    for name, spent in by_turns(steps, rounds).items():
        print(f"| {name} | {spent.processor:.2f} | {spent.wall:.2f} | {GOALS.get(name, '')} |")


def _letterboxes(frames: list[av.VideoFrame]) -> dict[str, Callable[[], object]]:
    square, wide = (Letterbox((1080, 1920), size) for size in ((640, 640), SIZE))
    rgb = [frame.to_ndarray(format="rgb24") for frame in frames[:4]]
    pictures, turn = [square(image) for image in rgb], _turns(frames)
    batcher, other = Batcher(1, square.size, np.float32, 2, letterbox=square), _turns(rgb)
    prepared = [Preparing(box, None, camera=False, unscaled=False) for box in (square, wide)]
    return {
        LETTERBOX: lambda: prepared[0](next(turn)),
        "letterbox to 384x640": lambda: prepared[1](next(turn)),
        "letterbox of a frame that is RGB already, to 640x640": lambda: square(next(other)),
        "tensor of a 640x640 picture, 0..1 as float32": lambda: batcher([pictures[0]]),
    }


def _camera(frames: list[av.VideoFrame]) -> dict[str, Callable[[], object]]:
    small, alone, both = Thumbnails(), CameraMotion(), CameraMotion()
    greys = [small(_luma(frame)) for frame in frames]
    turn, grey, last = _turns(frames), _turns(greys), _turns(frames)
    return {
        CAMERA: lambda: both.follow(*small(_luma(next(turn)))),
        "of it the thumbnail": lambda: small(_luma(next(last))),
        "of it the motion between thumbnails": lambda: alone.follow(*next(grey)),
    }


def _luma(frame: av.VideoFrame) -> Image:
    plane = luma(frame)
    if plane is None:
        raise SystemExit("the clip has no plane of luma with 8 bits: name another with --clip")
    return plane


def _turns(items: list[Any]) -> Iterator[Any]:
    """Forth and back without end, so that every frame is next to its neighbour in time."""
    return cycle([*items, *items[-2:0:-1]])


def _suppression(count: int) -> Callable[[], object]:
    """Candidates as detectors answer them: twenty around every object."""
    random = np.random.default_rng(1)
    objects = random.uniform(0, 1, (max(1, count // 20), 2)) * [1800, 1000]
    corner = np.repeat(objects, 20, axis=0)[:count] + random.normal(0, 4, (count, 2))
    size = np.repeat(random.uniform(20, 120, objects.shape), 20, axis=0)[:count]
    boxes = np.concatenate([corner, corner + size], axis=1).astype(np.float32)
    classes = np.repeat(random.integers(0, 80, len(objects)), 20)[:count]
    found = Detections(boxes, random.random(count, np.float32), classes)
    return lambda: suppress(found, 0.5, agnostic=False, limit=300)


def main() -> None:
    """Print every step's medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--clip", type=Path, default=CLIP, help="a video of 1920x1080")
    given = parser.parse_args()
    cv2.setNumThreads(1)
    pieces(given.clip, given.rounds)


if __name__ == "__main__":
    main()
