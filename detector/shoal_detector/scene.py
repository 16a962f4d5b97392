"""One rendered scene: a camera that pans over a sea floor, and what it sees, with the truth."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from shoal_detector.canvas import Canvas, Image, Patch, lay, window
from shoal_detector.furniture import Furniture
from shoal_detector.lighting import Lamps, MarineSnow, SensorNoise
from shoal_detector.organisms import DRAWINGS
from shoal_detector.population import Organism, Population
from shoal_detector.seafloor import Seascape
from shoal_detector.truth import TruthBox

SOLID = 0.20  # a pixel belongs to an organism from this opacity on
SEEN = 0.25  # an organism that shows less of itself than this is not in the truth
WATER_CLARITY = 0.28


class Scene:
    """Deterministic in its arguments; ``animals`` (None: five to eight) changes nothing but them."""

    def __init__(
        self, seed: int, width: int = 640, height: int = 384, fps: float = 30.0, animals: int | None = None
    ) -> None:
        self.width, self.height, self.fps = width, height, fps
        streams = [np.random.default_rng([seed, stream]) for stream in range(6)]
        self._seascape = Seascape(streams[0], width, height)
        self._furniture = Furniture(streams[1], self._seascape, width, height)
        count = int(streams[2].integers(5, 9))
        self._population = Population(streams[2], width, height, count if animals is None else animals)
        self._snow = MarineSnow(streams[3], width, height)
        self._lamps = Lamps(streams[4], width, height)
        self._noise = SensorNoise(streams[5], width, height)
        self._pan = float(streams[1].uniform(-1.1, 1.1)) * width / 640
        self._swing = streams[1].uniform([10, 3, 0.4, 0.5], [40, 9, 0.9, 1.2])
        self._creep = float(streams[1].uniform(0.0, 0.6))
        self._step = 0

    def camera(self) -> tuple[float, float]:
        """Where the camera is now, in pixels of the plane at distance 1."""
        seconds = self._step / self.fps
        wide, tall, slow, fast = self._swing
        x = self._pan * self._step + wide * np.sin(slow * seconds)
        return float(x), float(tall * np.sin(fast * seconds))

    @property
    def animals(self) -> tuple[Organism, ...]:
        """Everybody who is in view or just outside it."""
        return tuple(self._population.members)

    def advance(self) -> None:
        """Go on by one frame."""
        self._step += 1
        self._population.advance(self.fps, self.camera())

    def render(self) -> tuple[Image, tuple[TruthBox, ...]]:
        """The frame (height, width, 3) RGB of this moment and its truth."""
        camera, seconds = self.camera(), self._step / self.fps
        frame = self._seascape.draw(camera, self._creep * self._step)
        painted = [(distance, patch, None) for distance, patch in self._furniture.patches(camera, seconds)]
        animals = [(m.distance, self._draw(m, camera), m) for m in self._population.members]
        layers: list[tuple[float, Patch, Organism | None]] = [*painted, *animals]
        layers.sort(key=lambda layer: -layer[0])
        owners = np.zeros((self.height, self.width), np.int32)
        for _, patch, member in layers:
            lay(frame, patch)
            self._own(owners, patch, -1 if member is None else member.identity)
        self._snow.draw(frame, camera, self._step)
        lit = self._noise.add(self._lamps.light(frame, seconds))
        boxes = (self._box(owners, patch, member) for _, patch, member in animals)
        return lit, tuple(box for box in boxes if box is not None)

    def _draw(self, member: Organism, camera: tuple[float, float]) -> Patch:
        place = self._population.place(member, camera)
        mirror = member.name == "fish" and member.velocity[0] < 0
        canvas = Canvas(place, member.size, member.tilt, mirror)
        DRAWINGS[member.name](canvas, member.look, member.phase)
        share = WATER_CLARITY * (member.distance - 0.9)
        return canvas.patch(0.5 + 0.25 * (member.distance - 0.9), self._seascape.haze, share)

    @staticmethod
    def _own(owners: npt.NDArray[np.int32], patch: Patch, identity: int) -> None:
        both = window(patch, *owners.shape)
        if both is not None:
            owners[both[0]][patch.alpha[both[1]] >= SOLID] = identity

    def _box(self, owners: npt.NDArray[np.int32], patch: Patch, member: Organism) -> TruthBox | None:
        solid = patch.alpha >= SOLID
        both = window(patch, self.height, self.width)
        if both is None or not solid[both[1]].any():
            return None
        there, here = both
        visibility = float((owners[there] == member.identity).sum() / solid.sum())
        if visibility < SEEN:
            return None
        rows, columns = np.flatnonzero(solid[here].any(axis=1)), np.flatnonzero(solid[here].any(axis=0))
        left, top = int(columns[0]) + there[1].start, int(rows[0]) + there[0].start
        width, height = int(columns[-1] - columns[0]) + 1, int(rows[-1] - rows[0]) + 1
        return TruthBox(self._step + 1, member.identity, left, top, width, height, member.label, visibility)
