"""By how many pixels of a 1080p frame the measured motion of the camera misses the known or the real one.

Usage: PYTHONPATH=worker .venv-peers/bin/python benchmarks/tracking/camera_error.py [--cases 50]

Known: frames of the two deep-sea clips turned, zoomed and shifted by known amounts (in every fifth case a
random sea floor), with new grain, another exposure and six patches that move on their own; once with shifts
about 10 pixels and once of 40 to 130. Real: neighbours, and every fourth frame, of the clip that shows the
sea floor, against 1,500 corners followed at half the size. The other clip shows marine snow before a camera
that stands still: its row says how far the answer follows the snow. A case's error is the root of the mean
square over the frame.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

import cv2
import numpy as np
from camera import DEEPSEA, pictures
from shoal_worker.frames import Floats, Image
from shoal_worker.motion import CameraMotion

FLOOR, SNOW = "V4361_20211006T162656Z_h265_1sec.mp4", "V4361_20211006T163856Z_h265_1sec.mp4"
POINTS = np.stack(np.meshgrid(np.linspace(100, 1820, 9), np.linspace(100, 980, 6)), axis=-1).reshape(-1, 2)
SHAPE = (1080, 1920)


class Case(NamedTuple):
    """Two frames (height, width), and the affine (2, 3) from the one to the other."""

    before: Image
    after: Image
    truth: Floats


def errors(cases: list[Case]) -> Floats:
    """Of every case; a motion that is not told counts as none."""
    found = []
    for case in cases:
        camera = CameraMotion()
        camera.measure(case.before)
        motion = camera.measure(case.after)
        off = _moved(np.eye(2, 3) if motion is None else motion) - _moved(case.truth)
        found.append(np.sqrt((off**2).sum(axis=1).mean()))
    return np.array(found)


def known(frames: list[Image], count: int, shift: Callable[[np.random.Generator], Floats]) -> list[Case]:
    """Cases whose motion we made."""
    random = np.random.default_rng(7)
    return [_made(_scene(frames, number, random), shift(random), random) for number in range(count)]


def real(frames: list[Image], gap: int) -> list[Case]:
    """Pairs of real frames, with the motion that a slow and thorough way finds."""
    return [Case(one, other, _thorough(one, other)) for one, other in zip(frames, frames[gap:], strict=False)]


def still(frames: list[Image]) -> list[Case]:
    """Neighbours of a clip whose camera stands."""
    return [Case(one, other, np.eye(2, 3)) for one, other in pairwise(frames)]


def _scene(frames: list[Image], number: int, random: np.random.Generator) -> Image:
    if number % 5 < 4:
        return frames[int(random.integers(len(frames)))]
    floor = cv2.GaussianBlur(random.integers(0, 255, SHAPE, np.uint8), (0, 0), 10).astype(np.float32)
    return np.clip((floor - 127) * 6 + 110, 0, 255).astype(np.uint8)


def _made(scene: Image, shift: Floats, random: np.random.Generator) -> Case:
    degrees, zoom = random.normal(0, 0.35), 1 + random.normal(0, 0.006)
    truth = cv2.getRotationMatrix2D((959.5, 539.5), degrees, zoom)
    truth[:, 2] += shift
    before = scene.astype(np.float32)
    after = cv2.warpAffine(before, truth, SHAPE[::-1], flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
    for _ in range(6):
        _animal(before, after, truth, random)
    after *= random.uniform(0.96, 1.04)
    grainy = (np.clip(frame + random.normal(0, 3, SHAPE), 0, 255) for frame in (before, after))
    return Case(*(frame.astype(np.uint8) for frame in grainy), truth)


def _animal(before: Floats, after: Floats, truth: Floats, random: np.random.Generator) -> None:
    """A brighter piece of the frame, in another place and on a way of its own."""
    height, width = random.integers(60, 200, 2)
    left, top = random.integers(250, 1400), random.integers(250, 700)
    source = before[(y := random.integers(0, 850)) : y + height, (x := random.integers(0, 1700)) : x + width]
    patch = np.clip(source + 60, 0, 255)
    height, width = patch.shape
    before[top : top + height, left : left + width] = patch
    left, top = np.rint(truth @ (left, top, 1)).astype(int) + random.integers(-30, 30, 2)
    if 0 <= left < SHAPE[1] - width and 0 <= top < SHAPE[0] - height:
        after[top : top + height, left : left + width] = patch


def _thorough(before: Image, after: Image) -> Floats:
    one, other = (cv2.resize(frame, (960, 540), interpolation=cv2.INTER_AREA) for frame in (before, after))
    corners = cv2.goodFeaturesToTrack(one, 1500, 0.01, 9)
    moved, followed, _ = cv2.calcOpticalFlowPyrLK(one, other, corners, None, winSize=(31, 31), maxLevel=4)
    kept = followed.reshape(-1) == 1
    motion, _ = cv2.estimateAffinePartial2D(corners[kept], moved[kept], ransacReprojThreshold=1.0)
    motion[:, 2] = 2 * motion[:, 2] + (0.5 - motion[:, :2] @ (0.5, 0.5))
    return np.asarray(motion, np.float64)


def _moved(motion: Floats) -> Floats:
    return np.asarray(POINTS @ motion[:, :2].T + motion[:, 2])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cases", type=int, default=50, help="of each known kind (default 50)")
    given = parser.parse_args()
    cv2.setNumThreads(1)
    floor, snow = ([shown.grey for shown in pictures(DEEPSEA / name)[:32]] for name in (FLOOR, SNOW))
    rows = {
        "known, shifts about 10 pixels": known(floor + snow, given.cases, lambda r: r.normal(0, 10, 2)),
        "known, shifts of 40 to 130": known(
            floor + snow, given.cases, lambda r: r.uniform(40, 130, 2) * r.choice([-1, 1], 2)
        ),
        "sea floor, neighbours": real(floor, 1),
        "sea floor, every fourth frame": real(floor, 4),
        "snow before a still camera": still(snow),
    }
    print(
        "| error of the camera's motion, pixels | mean | median | 95 % | above 3 |\n|---|---:|---:|---:|---:|"
    )
    for name, cases in rows.items():
        off = errors(cases)
        print(f"| {name} | {off.mean():.3f} | {np.median(off):.3f} | {np.percentile(off, 95):.3f} "
              f"| {(off > 3).sum()} of {len(off)} |")  # fmt: skip


if __name__ == "__main__":
    main()
