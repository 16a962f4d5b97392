"""Milliseconds of processor time per frame of association alone, ours against the peers in the same run.

Usage: PYTHONPATH=worker .venv-peers/bin/python benchmarks/tracking/association.py [--rounds 5] [--only NAME]

Boxes of 1080p drift for 80 frames: 5 % are missed, 2 % are false, 15 % have a low score. Each round runs
every tracker once on the same frames; a figure is the median of the rounds' medians, a ratio the median of
the rounds' ratios. Processor time of the one thread, so that other work on the machine counts less. Without
``--only`` the ByteTrack of every peer is run; a peer that is not installed is named and left out.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import time
import warnings
from collections.abc import Callable

import numpy as np
from peers import PEERS, Maker, quiet, versions
from shoal_worker.frames import Detections
from shoal_worker.tracker import Tracker, TrackerParameters

FRAMES, WARM = 80, 30
FPS, SECONDS = 30.0, 1.0


def scene(count: int, seed: int = 7) -> list[Detections]:
    """``count`` objects that drift and bounce in 1920x1080."""
    random = np.random.default_rng(seed)
    place, speed = random.uniform([0, 0], [1920, 1080], (count, 2)), random.normal(0, 3, (count, 2))
    size = random.uniform(30, 110, (count, 2))
    frames = []
    for _ in range(FRAMES):
        place = place + speed
        speed = np.where((place < 0) | (place > [1920, 1080]), -speed, speed)
        frames.append(_frame(random, place, size))
    return frames


def _frame(random: np.random.Generator, place: np.ndarray, size: np.ndarray) -> Detections:
    seen = random.random(len(place)) > 0.05
    false = int(random.binomial(len(place), 0.02))
    centres = np.vstack([place[seen] + random.normal(0, 1, (seen.sum(), 2)),
                         random.uniform([0, 0], [1920, 1080], (false, 2))])  # fmt: skip
    half = np.vstack([size[seen], random.uniform(30, 110, (false, 2))]) / 2
    low = random.random(len(centres)) < 0.15
    scores = np.where(low, random.uniform(0.1, 0.25, len(low)), random.uniform(0.7, 0.99, len(low)))
    boxes = np.hstack([centres - half, centres + half]).astype(np.float32)
    return Detections(boxes, scores.astype(np.float32), np.zeros(len(low), np.int64))


def ours() -> Callable[[Detections], object]:
    """Our online tracker."""
    return Tracker(TrackerParameters(lost_seconds=SECONDS), FPS).update


def milliseconds(update: Callable[[Detections], object], frames: list[Detections]) -> float:
    """The median frame's time, after the tracks have gathered."""
    times = []
    for found in frames:
        start = time.thread_time()
        update(found)
        times.append(time.thread_time() - start)
    return statistics.median(times[WARM:]) * 1000


def installed(names: str) -> dict[str, Maker]:
    """The peers whose name contains ``names`` and that can be made here."""
    found = {}
    for name, make in PEERS.items():
        if names not in name:
            continue
        try:
            make(FPS, SECONDS)
        except ImportError as error:
            print(f"{name} is left out: {error}")
        else:
            found[name] = make
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5, help="paired runs (default 5)")
    parser.add_argument("--only", default="ByteTrack", help="peers whose name contains this")
    parser.add_argument("--objects", type=int, nargs="+", default=[10, 50, 200], help="how many in a frame")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    quiet()
    makers = installed(options.only)
    print(
        f"{versions()}; Python {platform.python_version()}, {os.cpu_count()} cores, {options.rounds} rounds"
    )
    print("| objects | shoal ms | " + " | ".join(f"{name} ms | ratio" for name in makers) + " |")
    print("|---" * (2 + 2 * len(makers)) + "|")
    for count in options.objects:
        frames, mine, theirs = scene(count), [], {name: [] for name in makers}
        for _ in range(options.rounds):
            mine.append(milliseconds(ours(), frames))
            for name, make in makers.items():
                theirs[name].append(milliseconds(make(FPS, SECONDS), frames))
        cells = [f"{statistics.median(mine):.3f}"]
        for found in theirs.values():
            ratio = statistics.median(peer / own for peer, own in zip(found, mine, strict=True))
            cells.append(f"{statistics.median(found):.3f} | {ratio:.1f}")
        print(f"| {count} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
