"""Training pictures: a pool of rendered frames, and a fresh variation of them for every step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from shoal_detector.canvas import Floats, Image
from shoal_detector.render import render_frames

INPUT_WIDTH, INPUT_HEIGHT = 320, 192
GREY = (114, 114, 114)  # the letterbox colour of the YOLO family, and of the worker
FRAMES_PER_SCENE, STRIDE = 10, 14
KEPT_SHARE = 0.35  # a box cut down to less than this by a variation is left out


@dataclass(frozen=True)
class Sample:
    """A picture (h, w, 3) RGB with its boxes (n, 4) as corners in pixels and labels (n,)."""

    picture: Image
    boxes: Floats
    labels: npt.NDArray[np.int64]


def render_pool(first_seed: int, scenes: int, on_scene: Callable[[], None] | None = None) -> list[Sample]:
    """Ten frames, half a second apart, of each scene with seeds from ``first_seed`` on."""
    pool = []
    for seed in range(first_seed, first_seed + scenes):
        for picture, seen in render_frames(seed, FRAMES_PER_SCENE, stride=STRIDE):
            corners = [(b.left, b.top, b.left + b.width, b.top + b.height) for b in seen]
            boxes = np.asarray(corners, np.float32).reshape(-1, 4)
            pool.append(Sample(picture, boxes, np.asarray([b.label for b in seen], np.int64)))
        if on_scene is not None:
            on_scene()
    return pool


def vary(sample: Sample, rng: np.random.Generator) -> Sample:
    """A variation at the network's input size: shifted, scaled, mirrored, compressed, in another light."""
    height, width = sample.picture.shape[:2]
    scale = INPUT_WIDTH / width * (1.0 if rng.random() < 0.4 else float(rng.uniform(0.7, 1.3)))
    free = np.array([INPUT_WIDTH - scale * width, INPUT_HEIGHT - scale * height])
    shift = free * (0.5 if rng.random() < 0.4 else rng.random(2))
    picture = sample.picture
    if rng.random() < 0.4:
        picture = compress(picture, int(rng.integers(45, 95)))
    # Pixel centres, as cv2.resize counts them, so that the half-pixel of the worker's letterbox is the same.
    matrix = np.array([[scale, 0, shift[0] + 0.5 * scale - 0.5], [0, scale, shift[1] + 0.5 * scale - 0.5]])
    size = (INPUT_WIDTH, INPUT_HEIGHT)
    small = np.asarray(
        cv2.warpAffine(picture, matrix, size, flags=cv2.INTER_LINEAR, borderValue=GREY), np.uint8
    )
    boxes = sample.boxes * np.float32(scale) + np.tile(shift, 2).astype(np.float32)
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
