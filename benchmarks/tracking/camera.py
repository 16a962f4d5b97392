"""Milliseconds of processor time per 1080p frame of the camera's motion, ours and the peer's where installed.

Usage: PYTHONPATH=worker .venv-peers/bin/python benchmarks/tracking/camera.py [--rounds 3] [--clip FILE]

The frames of a real clip are played forth and back, decoded beforehand: ours reads the luma as the pipeline
does, the peer the whole picture. One OpenCV thread, and this thread's own time. A figure is the median of
the rounds' medians.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import time
from collections.abc import Callable
from importlib.metadata import version
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import cv2
from shoal_worker.frames import Image
from shoal_worker.motion import CameraMotion, thumbnail
from shoal_worker.planes import luma
from shoal_worker.video import VideoReader

DEEPSEA = Path(__file__).resolve().parents[3] / "shared" / "data" / "deepsea"
CLIP = DEEPSEA / "V4361_20211006T162656Z_h265_1sec.mp4"
GOAL = 2.0


class Picture(NamedTuple):
    """One frame: its luma (height, width) and the whole picture (height, width, 3) BGR."""

    grey: Image
    colour: Image


def pictures(clip: Path) -> list[Picture]:
    """The clip forth and back, so that every picture is next to its neighbour in time."""
    with VideoReader(clip) as reader:
        frames = [Picture(_luma(frame), frame.to_ndarray(format="bgr24")) for frame in reader.decoded()]
    return [*frames, *frames[-2:0:-1]]


def _luma(frame: object) -> Image:
    plane = luma(frame)
    if plane is None:
        raise SystemExit("the clip has no plane of luma with 8 bits: name another with --clip")
    return plane.copy()


def small(picture: Picture) -> object:
    """The thumbnail, the first of our two steps."""
    return thumbnail(picture.grey)


def peer() -> Callable[[Picture], object]:
    """The peer's sparse optical flow with its defaults (half the size of the picture)."""
    from trackers.utils.cmc import CMC, CMCConfig

    motion = CMC(CMCConfig(method="sparseOptFlow"))
    return lambda picture: motion.estimate(picture.colour)


def ours() -> Callable[[Picture], object]:
    """Our measurement from luma to the affine."""
    motion = CameraMotion()
    return lambda picture: motion.measure(picture.grey)


def milliseconds(measure: Callable[[Picture], object], shown: list[Picture]) -> float:
    """The median picture's time, but for the first two."""
    times = []
    for picture in shown:
        start = time.thread_time()
        measure(picture)
        times.append(time.thread_time() - start)
    return statistics.median(times[2:]) * 1000


def unmeasured(shown: list[Picture]) -> int:
    """In how many pairs of neighbours ours finds too little texture."""
    motion = CameraMotion()
    answers = [motion.measure(picture.grey) for picture in shown]
    return sum(after is None for _, after in pairwise(answers))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3, help="paired runs (default 3)")
    parser.add_argument("--clip", type=Path, default=CLIP, help="a video of 1920x1080")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    shown = pictures(options.clip)
    makers = {"shoal": ours, "of it the thumbnail": lambda: small}
    if find_spec("trackers"):
        makers[f"trackers {version('trackers')} sparse optical flow"] = peer
    height, width = shown[0].grey.shape
    print(f"OpenCV {cv2.__version__}, Python {platform.python_version()}, {os.cpu_count()} cores, ", end="")
    print(f"{options.rounds} rounds of {len(shown)} frames {width}x{height}, {unmeasured(shown)} unmeasured")
    rounds = [{name: milliseconds(make(), shown) for name, make in makers.items()}
              for _ in range(options.rounds)]  # fmt: skip
    print("| camera motion | ms a frame | least round | of ours |\n|---|---|---|---|")
    for name in makers:
        times = [each[name] for each in rounds]
        ratio = statistics.median(each[name] / each["shoal"] for each in rounds)
        print(f"| {name} | {statistics.median(times):.2f} | {min(times):.2f} | {ratio:.2f} |")
    mine = statistics.median(each["shoal"] for each in rounds)
    print(f"the goal of {GOAL} ms is {'met' if mine <= GOAL else 'not met'}")


if __name__ == "__main__":
    main()
