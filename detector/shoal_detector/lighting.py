"""In front of the animals: marine snow, the lamps of the vehicle and the noise of the camera."""

from __future__ import annotations

import cv2
import numpy as np

from shoal_detector.canvas import Image

FRACTION = 3
GRAIN = 256  # the side of the tile of noise


class MarineSnow:
    """Flakes that sink slowly, drift with the current and slide with the camera, near ones faster."""

    def __init__(self, rng: np.random.Generator, width: int, height: int) -> None:
        count = int(rng.integers(60, 190))
        self._width, self._height = width, height
        self._place = rng.random((count, 2)) * [width * 1.2, height * 1.2]
        self._near = rng.uniform(0.25, 1.6, count)
        self._drift = np.stack([rng.normal(0.12, 0.1, count), rng.uniform(0.05, 0.35, count)], axis=1)
        self._radius = np.clip(rng.gamma(2.0, 0.42, count), 0.4, 3.2) * height / 384
        self._shine = rng.uniform(45, 165, count)

    def draw(self, frame: Image, camera: tuple[float, float], step: int) -> None:
        """Add the flakes to an RGB frame, in place: what is out of focus (large) is faint."""
        room = np.array([self._width * 1.2, self._height * 1.2])
        moved = self._place + self._drift * step - np.outer(self._near, camera)
        layer = np.zeros(frame.shape[:2], np.uint8)
        scaled = np.round((moved % room - 0.1 * room) * (1 << FRACTION)).astype(int)
        for (x, y), radius, shine in zip(scaled.tolist(), self._radius, self._shine, strict=True):
            tone = shine / (1 + 0.5 * radius)
            cv2.circle(layer, (x, y), int(radius * (1 << FRACTION)), tone, -1, cv2.LINE_AA, FRACTION)
        soft = cv2.GaussianBlur(layer, (0, 0), 0.8)
        cv2.add(frame, cv2.merge([soft, soft, cv2.multiply(soft, 0.9)]), frame)


class Lamps:
    """The vehicle's light: bright where it points, falling off to the sides, swaying a little."""

    def __init__(self, rng: np.random.Generator, width: int, height: int) -> None:
        self._width, self._height = width, height
        self._margin = 24
        y, x = np.mgrid[0 : height + 2 * self._margin, 0 : width + 2 * self._margin].astype(np.float32)
        cx, cy = (
            width * rng.uniform(0.35, 0.65) + self._margin,
            height * rng.uniform(0.45, 0.75) + self._margin,
        )
        away = np.hypot((x - cx) / (0.72 * width), (y - cy) / (0.78 * height))
        dim = float(rng.uniform(0.35, 0.6))
        shine = dim + (1 - dim) * np.exp(-1.6 * away**2)
        self._mask = cv2.merge([np.asarray(np.clip(shine * 255, 0, 255), np.uint8)] * 3)
        self._sway = float(rng.uniform(0.3, 0.8))
        self._gain = float(rng.uniform(1.0, 1.3))

    def light(self, frame: Image, seconds: float) -> Image:
        """The lit frame."""
        dx = int(self._margin * (1 + 0.8 * np.sin(self._sway * seconds)))
        dy = int(self._margin * (1 + 0.6 * np.cos(0.7 * self._sway * seconds)))
        mask = self._mask[dy : dy + self._height, dx : dx + self._width]
        return np.asarray(cv2.multiply(frame, mask, scale=self._gain / 255), np.uint8)


class SensorNoise:
    """Grain: one seeded tile, shifted at random in each frame, far cheaper than drawing it anew."""

    def __init__(self, rng: np.random.Generator, width: int, height: int) -> None:
        self._rng = rng
        self._width, self._height = width, height
        strength = rng.uniform(1.5, 5.0)
        grey, coloured = (rng.standard_normal((GRAIN, GRAIN, n), np.float32) for n in (1, 3))
        grain = np.clip(128 + strength * (0.85 * grey + 0.5 * coloured), 0, 255).astype(np.uint8)
        self._tile = np.tile(grain, (height // GRAIN + 2, width // GRAIN + 2, 1))

    def add(self, frame: Image) -> Image:
        """The noisy frame."""
        dx, dy = (int(shift) for shift in self._rng.integers(0, GRAIN, 2))
        grain = self._tile[dy : dy + self._height, dx : dx + self._width]
        return np.asarray(cv2.addWeighted(frame, 1.0, grain, 1.0, -128.0), np.uint8)
