"""Training pictures: a pool of rendered frames, and a fresh variation of them for every step."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from shoal_detector.canvas import Floats, Image
from shoal_detector.render import render_frames

INPUT_WIDTH, INPUT_HEIGHT = 320, 192
GREY = (114, 114, 114)  # the letterbox colour of the YOLO family, and of the worker
FRAMES_PER_SCENE, STRIDE = 10, 14
CROWD = 11
KEPT_SHARE = 0.35  # a box cut down to less than this by a variation is left out


@dataclass(frozen=True)
class Sample:
    """A picture (h, w, 3) RGB with its boxes (n, 4) as corners in pixels and labels (n,)."""

    picture: Image
    boxes: Floats
    labels: npt.NDArray[np.int64]


def render_pool(first_seed: int, scenes: int, on_scene: Callable[[], None]) -> list[Sample]:
    """Ten frames, half a second apart, of every scene from ``first_seed`` on; one process per core."""
    pool: list[Sample] = []
    # Workers that are forked would inherit torch's locked thread pools.
    with ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn")) as workers:
        for samples in workers.map(render_scene, range(first_seed, first_seed + scenes)):
            pool.extend(samples)
            on_scene()
    return pool


def render_scene(seed: int) -> list[Sample]:
    """The training pictures of one scene; every other one is crowded, for the boxes where animals meet."""
    samples = []
    animals = CROWD if seed % 2 else None
    for picture, seen in render_frames(seed, FRAMES_PER_SCENE, stride=STRIDE, animals=animals):
        corners = [(box.left, box.top, box.left + box.width, box.top + box.height) for box in seen]
        boxes = np.asarray(corners, np.float32).reshape(-1, 4)
        samples.append(Sample(picture, boxes, np.asarray([box.label for box in seen], np.int64)))
    return samples


def vary(sample: Sample, rng: np.random.Generator) -> Sample:
    """A variation at the network's input size: shifted, scaled, mirrored, compressed, in another light."""
    height, width = sample.picture.shape[:2]
    scale = INPUT_WIDTH / width * (1.0 if rng.random() < 0.4 else float(rng.uniform(0.7, 1.3)))
    free = np.array([INPUT_WIDTH - scale * width, INPUT_HEIGHT - scale * height])
    shift = free * (0.5 if rng.random() < 0.4 else rng.random(2))
    # Pixel centres, as cv2.resize counts them, so that the half-pixel of the worker's letterbox is the same.
    matrix = np.array([[scale, 0, shift[0] + 0.5 * scale - 0.5], [0, scale, shift[1] + 0.5 * scale - 0.5]])
    size = (INPUT_WIDTH, INPUT_HEIGHT)
    small = np.asarray(
        cv2.warpAffine(sample.picture, matrix, size, flags=cv2.INTER_LINEAR, borderValue=GREY), np.uint8
    )
    boxes = sample.boxes * np.float32(scale) + np.tile(shift, 2).astype(np.float32)
    if rng.random() < 0.3:
        small = compress(small, int(rng.integers(55, 95)))
    if rng.random() < 0.5:
        small = small[:, ::-1]
        boxes[:, [0, 2]] = INPUT_WIDTH - boxes[:, [2, 0]]
    return inside(Sample(relight(small, rng), boxes, sample.labels))


def inside(sample: Sample) -> Sample:
    """The boxes clipped to the picture, without those that are mostly outside."""
    limits = np.array([INPUT_WIDTH, INPUT_HEIGHT] * 2, np.float32)
    clipped = np.clip(sample.boxes, 0, limits).astype(np.float32)
    kept = area(clipped) > KEPT_SHARE * area(sample.boxes)
    return Sample(sample.picture, clipped[kept], sample.labels[kept])


def area(boxes: Floats) -> Floats:
    """Areas (n,) of boxes given as corners."""
    return np.asarray((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]), np.float32)


def relight(picture: Image, rng: np.random.Generator) -> Image:
    """Another gain per channel, gamma and offset."""
    levels = np.linspace(0, 1, 256)[:, None] ** rng.uniform(0.8, 1.25)
    levels = levels * rng.uniform(0.75, 1.25) * rng.uniform(0.92, 1.08, 3) + rng.uniform(-0.03, 0.03)
    table = np.clip(levels * 255, 0, 255).astype(np.uint8)
    return np.asarray(cv2.LUT(np.ascontiguousarray(picture), table[None]), np.uint8)


def compress(picture: Image, quality: int) -> Image:
    """The picture after JPEG, which stands for what a video codec does."""
    done, coded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise RuntimeError("OpenCV could not write a JPEG: install a build of it with JPEG support")
    return np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8)
