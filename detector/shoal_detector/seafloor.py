"""Behind the animals: dark water and a sea floor in perspective that slides as the camera pans."""

from __future__ import annotations

import cv2
import numpy as np

from shoal_detector.canvas import Colour, Floats, Image

TILE = 512
# Water above, water at the horizon, sediment: deep blue, green-black, blue-grey, turquoise.
PALETTES: tuple[tuple[Colour, Colour, Colour], ...] = (
    ((0.03, 0.10, 0.20), (0.05, 0.20, 0.30), (0.40, 0.42, 0.34)),
    ((0.01, 0.03, 0.03), (0.07, 0.11, 0.09), (0.46, 0.46, 0.32)),
    ((0.05, 0.14, 0.24), (0.09, 0.24, 0.32), (0.44, 0.46, 0.44)),
    ((0.05, 0.26, 0.34), (0.12, 0.36, 0.40), (0.52, 0.50, 0.38)),
)


def cloud(rng: np.random.Generator, size: int, roughness: float) -> Floats:
    """A seamless (size, size) field with spectrum 1/f**roughness, mean 0 and deviation 1."""
    fy, fx = np.meshgrid(np.fft.fftfreq(size), np.fft.rfftfreq(size), indexing="ij")
    weight = np.hypot(fy, fx)
    weight[0, 0] = 1.0
    spectrum = np.fft.rfft2(rng.standard_normal((size, size))) / weight**roughness
    spectrum[0, 0] = 0.0
    field: Floats = np.fft.irfft2(spectrum, s=(size, size)).astype(np.float32)
    return np.asarray(field / field.std(), np.float32)


def sediment(rng: np.random.Generator, colour: Colour) -> Image:
    """A seamless (512, 512, 3) picture of mud with lumps, holes, pebbles and bits of shell."""
    fine = cloud(rng, TILE, 0.9)
    height = 0.6 * cloud(rng, TILE, 1.6) + 0.45 * fine
    relief = np.roll(height, 1, axis=0) - np.roll(height, -1, axis=1)
    light = 1 + 0.12 * height + 0.28 * relief
    light *= 1 - 0.55 * (np.roll(fine, TILE // 3) > 2.3)
    picture = light[..., None] * np.asarray(colour, np.float32)
    picture = np.clip(picture * 255, 0, 255).astype(np.uint8)
    for _ in range(110):
        x, y, radius = int(rng.integers(TILE)), int(rng.integers(TILE)), int(rng.integers(1, 5))
        shine = float(rng.uniform(70, 380))
        tone = [min(255.0, channel * shine) for channel in colour]
        cv2.ellipse(
            picture, (x, y + 1), (radius + 1, radius), 0, 0, 360, [channel * 0.3 for channel in tone], -1
        )
        cv2.ellipse(picture, (x, y), (radius, max(1, radius - 1)), 0, 0, 360, tone, -1, cv2.LINE_AA)
    return np.asarray(picture, np.uint8)


class Seascape:
    """Water and floor of one scene; ``horizon`` is where the floor begins, as a share of the height."""

    def __init__(self, rng: np.random.Generator, width: int, height: int) -> None:
        palette = PALETTES[int(rng.integers(len(PALETTES)))]
        above, self.haze, mud = ((float(r), float(g), float(b)) for r, g, b in palette)
        self._width, self._height = width, height
        self.horizon = float(rng.uniform(0.30, 0.62))
        self._floor = sediment(rng, mud)
        down = np.clip(np.linspace(0, 1 / self.horizon, height), 0, 1)[:, None, None] ** 1.5
        water = np.asarray(above) * (1 - down) + np.asarray(self.haze) * down
        self._water = np.ascontiguousarray(np.broadcast_to(water * 255, (height, width, 3)).astype(np.uint8))
        self._columns = (np.arange(width, dtype=np.float32) - width / 2)[None, :]

    def draw(self, camera: tuple[float, float], ahead: float) -> Image:
        """The background (height, width, 3) seen from ``camera``, crept ``ahead`` over the floor."""
        start = self.horizon * self._height - camera[1] / 1.7
        first = int(np.clip(np.ceil(start + 2), 0, self._height))
        frame = self._water.copy()
        rows = np.arange(first, self._height, dtype=np.float32)[:, None] - start
        distance = (0.75 * self._height) / rows
        across = self._columns * distance + camera[0]
        along = np.broadcast_to(150 * distance - ahead, across.shape).astype(np.float32)
        floor = cv2.remap(
            self._floor, across.astype(np.float32), along, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP
        )
        clear = np.broadcast_to(np.exp(-0.55 * np.maximum(distance - 1.0, 0)), across.shape).astype(
            np.float32
        )
        frame[first:] = cv2.blendLinear(floor, frame[first:], np.ascontiguousarray(clear), 1 - clear)
        return frame

    def foot(self, distance: float, camera: tuple[float, float]) -> float:
        """The frame row where something at ``distance`` stands on the floor."""
        return self.horizon * self._height - camera[1] / 1.7 + 0.75 * self._height / distance
