"""Boulders and sea whips: they stand on the floor and hide what swims behind them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from shoal_detector.canvas import Canvas, Floats, Patch
from shoal_detector.seafloor import Seascape

HAZE_PER_DISTANCE = 0.55


@dataclass(frozen=True)
class Boulder:
    """A stone, drawn once around the origin."""

    place: float
    distance: float
    picture: Patch

    def patch(self, foot: tuple[float, float], seconds: float) -> Patch:
        """The picture at ``foot``; the time does not matter to a stone."""
        del seconds
        left, top = round(foot[0]) + self.picture.left, round(foot[1]) + self.picture.top
        return replace(self.picture, left=left, top=top)


@dataclass(frozen=True)
class Whip:
    """A sea whip with a few branches that sway, drawn anew each time."""

    place: float
    distance: float
    size: float
    leans: Floats
    tone: float
    haze: tuple[float, float, float]

    def patch(self, foot: tuple[float, float], seconds: float) -> Patch:
        """The picture at ``foot``."""
        canvas = Canvas(foot, self.size, reach=1.1)
        along = np.linspace(0, 1, 14)
        stems = []
        for branch, lean in enumerate(self.leans):
            sway = (2.2 * float(lean) + 0.04 * np.sin(0.9 * seconds + branch)) * along**1.4
            stems.append(np.stack([0.02 * branch + sway, -along * (0.6 + 0.1 * branch)], axis=1))
        canvas.curves(stems, 0.045, (0.50 * self.tone, 0.36 * self.tone, 0.33 * self.tone), 1.0)
        light = [stem - [0.008, 0] for stem in stems]
        canvas.curves(light, 0.018, (0.72 * self.tone, 0.55 * self.tone, 0.50 * self.tone), 0.9)
        return canvas.patch(0.8, self.haze, _haze_share(self.distance))


class Furniture:
    """Everything that stands on the floor of one scene, repeated every four frame widths."""

    def __init__(self, rng: np.random.Generator, seascape: Seascape, width: int, height: int) -> None:
        self._seascape, self._width = seascape, width
        self._span = 4.0 * width
        self._things = [self._one(rng, height / 384) for _ in range(int(rng.integers(7, 13)))]

    def patches(self, camera: tuple[float, float], seconds: float) -> list[tuple[float, Patch]]:
        """What may be in view, each with its distance."""
        found = []
        for thing in self._things:
            across = (thing.place * self._span - camera[0] / thing.distance) % self._span - self._width
            if -self._width / 3 < across < self._width * 4 / 3:
                foot = (across, self._seascape.foot(thing.distance, camera))
                found.append((thing.distance, thing.patch(foot, seconds)))
        return found

    def _one(self, rng: np.random.Generator, scale: float) -> Boulder | Whip:
        shape = np.asarray(rng.uniform(0.75, 1.0, 14), np.float32)
        place, distance = float(rng.random()), float(rng.uniform(1.15, 2.2))
        size, tone = float(rng.uniform(30, 70)) * scale / distance, float(rng.uniform(0.7, 1.2))
        haze = self._seascape.haze
        if rng.random() < 0.55:
            return Boulder(place, distance, _boulder(size, shape, tone, haze, _haze_share(distance)))
        return Whip(place, distance, 2 * size, shape[:4] - np.float32(0.88), tone, haze)


def _haze_share(distance: float) -> float:
    return 1 - float(np.exp(-HAZE_PER_DISTANCE * (distance - 1.0)))


def _boulder(
    size: float, shape: Floats, tone: float, haze: tuple[float, float, float], share: float
) -> Patch:
    canvas = Canvas((0.0, 0.0), size, reach=1.2)
    turn = np.linspace(0, 2 * np.pi, len(shape), endpoint=False)
    outline = np.stack([shape * np.cos(turn), 0.62 * shape * np.sin(turn) - 0.2], axis=1)
    canvas.ellipse((0.05, 0.36), (1.0, 0.16), (0.03, 0.04, 0.03), 0.5)
    for shrink, light in zip(np.linspace(1.0, 0.2, 8), np.linspace(0.16, 0.44, 8), strict=True):
        lifted = outline * shrink + [-0.1 * (1 - shrink), -0.32 * (1 - shrink)]
        colour = (light * tone, light * tone * 0.98, light * tone * 0.86)
        canvas.polygon(lifted, colour, 1.0 if shrink == 1 else 0.5)
    return canvas.patch(1.2, haze, share)
