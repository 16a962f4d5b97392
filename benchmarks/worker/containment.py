"""What containment costs: the same clip decoded in this process and in a contained one, in turns.

``pictures`` is what the pipeline does (scaled to the network's input, with a thumbnail to measure the camera
by), ``frames`` whole RGB frames as the annotated film needs them. The peer is the same reader uncontained.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from shoal_worker.containment.decoding import ContainedDecoding
from shoal_worker.containment.reader import ContainedReader
from shoal_worker.prepare import Decoding
from shoal_worker.preprocess import Letterbox
from shoal_worker.video import VideoReader

CLIP = Path(__file__).parents[3] / "shared/data/deepsea/V4361_20211006T162656Z_h265_1sec.mp4"


def fitted(frame: tuple[int, int]) -> Letterbox:
    return Letterbox(frame, (384, 640))


def frames(path: Path, contained: bool) -> tuple[float, float, int]:
    """Seconds until open, seconds of decoding, frames."""
    began = time.perf_counter()
    with ContainedReader(path) if contained else VideoReader(path) as reader:
        opened = time.perf_counter()
        count = sum(1 for _ in reader)
    return opened - began, time.perf_counter() - opened, count


def pictures(path: Path, contained: bool) -> tuple[float, float, int]:
    """As ``frames``."""
    began = time.perf_counter()
    decoding: Any = (ContainedDecoding if contained else Decoding)(path, fitted, camera=True)
    opened = time.perf_counter()
    count = sum(1 for _ in decoding)
    return opened - began, time.perf_counter() - opened, count


def compare(
    name: str, work: Callable[[Path, bool], tuple[float, float, int]], path: Path, rounds: int
) -> None:
    pairs = [(work(path, False), work(path, True)) for _ in range(rounds)]
    ratio = statistics.median(plain[1] / contained[1] for plain, contained in pairs)
    plain, contained = (statistics.median(pair[i][2] / pair[i][1] for pair in pairs) for i in (0, 1))
    opening = statistics.median(1000 * pair[1][0] for pair in pairs)
    print(f"| {name} | {plain:.0f} | {contained:.0f} | {ratio:.2f} | {opening:.0f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--video", type=Path, default=CLIP)
    parser.add_argument("--rounds", type=int, default=11)
    given = parser.parse_args()
    print(f"{platform.platform()}, Python {platform.python_version()}, {os.cpu_count()} cores")
    print(
        "| what | here, fps | contained, fps | speed ratio | ms to start the process |\n|---|---|---|---|---|"
    )
    compare("pictures", pictures, given.video, given.rounds)
    compare("frames", frames, given.video, given.rounds)


if __name__ == "__main__":
    main()
