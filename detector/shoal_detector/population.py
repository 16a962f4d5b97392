"""Which organisms are in front of the camera, how they move, and how they come and go."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from shoal_detector import CLASS_NAMES
from shoal_detector.organisms import PALETTES, Look

SHARES = (0.36, 0.40, 0.24)
SIZES = {"jelly": (52.0, 92.0), "fish": (56.0, 104.0), "larvacean": (60.0, 100.0)}
SPEEDS = {"jelly": (0.15, 0.7), "fish": (0.9, 2.6), "larvacean": (0.1, 0.6)}
BEATS = {"jelly": (0.5, 1.0), "fish": (1.4, 2.6), "larvacean": (0.8, 1.4)}


@dataclass
class Organism:
    """One animal. Positions in pixels of the plane at distance 1; farther is smaller and slower."""

    identity: int
    label: int
    look: Look
    size: float
    distance: float
    x: float
    y: float
    velocity: tuple[float, float]
    phase: float
    tilt: float
    wander: float

    @property
    def name(self) -> str:
        """Its class."""
        return CLASS_NAMES[self.label]

    def advance(self, fps: float) -> None:
        """Move on by one frame."""
        self.phase += 2 * np.pi * self.look.beat / fps
        thrust = 1 + 0.7 * max(0.0, float(np.sin(self.phase))) if self.name == "jelly" else 1.0
        self.x += self.velocity[0] * thrust
        self.y += self.velocity[1] * thrust + 0.35 * float(np.sin(0.35 * self.phase + self.wander))


class Population:
    """Keeps about ``count`` organisms in view. An identity is given once and never again."""

    def __init__(self, rng: np.random.Generator, width: int, height: int, count: int) -> None:
        self._rng = rng
        self._width, self._height = width, height
        self._count = count
        self._next_identity = 1
        self.members: list[Organism] = []
        for _ in range(count):
            self.members.append(self._born(rng.uniform(0.08, 0.92), rng.uniform(0.1, 0.85)))

    def advance(self, fps: float, camera: tuple[float, float]) -> None:
        """Move everybody, let go of who has left the view for good, and let others in at the edges."""
        for member in self.members:
            member.advance(fps)
        self.members = [member for member in self.members if self._near(member, camera)]
        if len(self.members) < self._count and self._rng.random() < 0.06:
            self.members.append(self._enter(camera))

    def place(self, member: Organism, camera: tuple[float, float]) -> tuple[float, float]:
        """Where the camera sees it, in frame pixels: what is farther moves less when the camera pans."""
        return (
            self._width / 2 + (member.x - camera[0]) / member.distance,
            self._height / 2 + (member.y - camera[1]) / member.distance,
        )

    def _near(self, member: Organism, camera: tuple[float, float]) -> bool:
        x, y = self.place(member, camera)
        margin = member.size
        return -margin < x < self._width + margin and -margin < y < self._height + margin

    def _enter(self, camera: tuple[float, float]) -> Organism:
        side = -1.0 if self._rng.random() < 0.5 else 1.0
        member = self._born(0.5, self._rng.uniform(0.1, 0.8))
        edge = side * (self._width / 2 + 0.7 * member.size)
        member.x = camera[0] + edge * member.distance
        member.y += camera[1]
        member.velocity = (-side * abs(member.velocity[0]), member.velocity[1])
        return member

    def _born(self, across: float, down: float) -> Organism:
        rng = self._rng
        label = int(rng.choice(len(CLASS_NAMES), p=SHARES))
        name = CLASS_NAMES[label]
        distance = float(rng.uniform(0.9, 1.7))
        palette = PALETTES[name]
        base = palette[int(rng.integers(len(palette)))]
        red, green, blue = (float(np.clip(channel * rng.uniform(0.88, 1.12), 0, 1)) for channel in base)
        look = Look(
            (red, green, blue), (float(rng.random()), float(rng.random())), float(rng.uniform(*BEATS[name]))
        )
        speed = float(rng.uniform(*SPEEDS[name])) * (1 if rng.random() < 0.5 else -1)
        identity, self._next_identity = self._next_identity, self._next_identity + 1
        return Organism(
            identity=identity,
            label=label,
            look=look,
            size=float(rng.uniform(*SIZES[name])) * self._height / 384 / distance,
            distance=distance,
            x=(across - 0.5) * self._width * distance,
            y=(down - 0.5) * self._height * distance,
            velocity=(speed, float(rng.normal(0, 0.15))),
            phase=float(rng.uniform(0, 2 * np.pi)),
            tilt=float(rng.normal(0, 0.5 if name != "fish" else 0.12)),
            wander=float(rng.uniform(0, 2 * np.pi)),
        )
