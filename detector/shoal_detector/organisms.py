"""How each class of organism looks at one moment: outlines in body lengths, from gentle formulas."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from shoal_detector.canvas import Canvas, Colour

PALETTES: dict[str, tuple[Colour, ...]] = {
    "jelly": ((0.92, 0.62, 0.66), (0.80, 0.80, 0.95), (0.95, 0.78, 0.58), (0.74, 0.48, 0.78)),
    "fish": ((0.82, 0.42, 0.30), (0.62, 0.66, 0.62), (0.85, 0.74, 0.42), (0.55, 0.57, 0.60)),
    "larvacean": ((0.72, 0.88, 0.98), (0.80, 0.95, 0.90), (0.86, 0.86, 0.98)),
}


@dataclass(frozen=True)
class Look:
    """What stays the same in one organism: colour, build (two numbers 0..1) and beats per second."""

    colour: Colour
    build: tuple[float, float]
    beat: float


def shade(colour: Colour, factor: float) -> Colour:
    """A darker (< 1) or paler (> 1) form of a colour."""
    red, green, blue = (min(1.0, channel * factor) for channel in colour)
    return red, green, blue


def draw_jelly(canvas: Canvas, look: Look, phase: float) -> None:
    """A medusa: translucent bell that opens and closes, four gonads, a frill and trailing tentacles."""
    squeeze = 0.10 * np.sin(phase)
    half, tall = 0.42 - squeeze, 0.36 + 0.8 * squeeze + 0.06 * look.build[0]
    tentacles = []
    for column in np.linspace(-0.85, 0.85, 7 + round(3 * look.build[1])):
        along = np.linspace(0.0, 1.0, 9)
        sway = 0.05 * np.sin(phase - 4.0 * along + 5 * column) * along
        length = (0.48 + 0.22 * look.build[1]) * (1 - 0.35 * abs(column))
        tentacles.append(np.stack([column * half * (1 - 0.25 * along) + sway, along * length], axis=1))
    canvas.curves(tentacles, 0.022, look.colour, 0.55)
    turn = np.linspace(np.pi, 2 * np.pi, 22)
    frill = np.linspace(1.0, -1.0, 17)
    hem = np.stack([frill * half, 0.035 * np.cos(frill * 20)], axis=1)
    bell = np.concatenate([np.stack([half * np.cos(turn), tall * np.sin(turn)], axis=1), hem])
    canvas.polygon(bell, shade(look.colour, 0.92), 0.62)
    canvas.polygon(bell * [0.78, 0.80] + [0, -0.01], shade(look.colour, 1.15), 0.35)
    for side in (-0.5, -0.17, 0.17, 0.5):
        canvas.ellipse((side * half, -0.45 * tall), (0.055, 0.085), shade(look.colour, 0.6), 0.6)
    canvas.curves([bell[:22]], 0.03, shade(look.colour, 1.35), 0.7)


def draw_fish(canvas: Canvas, look: Look, phase: float) -> None:
    """A fish seen from the side, swimming to the right: the body bends in a wave that grows to the tail."""
    depth = 0.15 + 0.06 * look.build[0]
    along = np.linspace(0.0, 1.0, 16)
    spine_x = 0.5 - 0.82 * along
    spine_y = 0.05 * along**2 * np.sin(phase - 3.2 * along)
    girth = depth * np.sqrt(np.clip(along, 0, 1)) * (1 - along) ** 0.62 * 1.75 + 0.018
    tail_y = 0.09 * np.sin(phase - 3.9)
    root = (spine_x[-1] + 0.04, spine_y[-1])
    fork = 0.17 + 0.05 * look.build[1]
    tail = [root, (-0.5, tail_y - fork), (-0.43, tail_y), (-0.5, tail_y + fork)]
    canvas.polygon(tail, shade(look.colour, 0.75), 0.9)
    dorsal = [(0.18, -depth * 0.8), (0.0, -depth * (1.45 + 0.4 * look.build[1])), (-0.2, -depth * 0.6)]
    canvas.polygon(dorsal, shade(look.colour, 0.7), 0.85)
    upper = np.stack([spine_x, spine_y - girth], axis=1)
    lower = np.stack([spine_x, spine_y + girth], axis=1)
    middle = np.stack([spine_x, spine_y + 0.15 * girth], axis=1)
    canvas.polygon(np.concatenate([upper, lower[::-1]]), shade(look.colour, 0.85), 0.97)
    canvas.polygon(np.concatenate([middle, lower[::-1]]), shade(look.colour, 1.3), 0.7)
    canvas.polygon([(0.12, 0.02), (-0.04, 0.1), (-0.02, 0.02)], shade(look.colour, 0.65), 0.8)
    bars = [np.stack([upper[stripe], middle[stripe]]) for stripe in range(3, 12, 3)]
    canvas.curves(bars, 0.03, shade(look.colour, 0.6), 0.5 * look.build[1])
    canvas.ellipse((0.38, -0.03), (0.034, 0.034), (0.95, 0.95, 0.9), 0.9)
    canvas.ellipse((0.385, -0.03), (0.02, 0.02), (0.03, 0.03, 0.05), 1.0)


def draw_larvacean(canvas: Canvas, look: Look, phase: float) -> None:
    """A giant larvacean: a pale mucus house with two filters, and in it the animal beating its tail."""
    turn = np.linspace(0.0, 2 * np.pi, 40, endpoint=False)
    lobes = 1 + 0.07 * np.sin(3 * turn + 6 * look.build[0]) + 0.05 * np.sin(5 * turn + 0.25 * phase)
    house = np.stack(
        [0.48 * lobes * np.cos(turn), (0.36 + 0.05 * look.build[1]) * lobes * np.sin(turn)], axis=1
    )
    canvas.polygon(house, look.colour, 0.30)
    canvas.curves([np.concatenate([house, house[:1]])], 0.02, shade(look.colour, 1.1), 0.45)
    ribs = []
    for side in (-1.0, 1.0):
        for rib in np.linspace(0.25, 1.0, 5):
            sweep = np.linspace(0.15, 0.95, 8) * np.pi * 0.5
            outward = side * (0.06 + 0.31 * rib * np.sin(sweep))
            ribs.append(np.stack([outward, 0.24 - 0.42 * rib * np.cos(sweep)], axis=1))
    canvas.curves(ribs, 0.016, shade(look.colour, 1.2), 0.5)
    along = np.linspace(0.0, 1.0, 14)
    wave = 0.08 * along * np.sin(phase - 6.0 * along)
    tail = np.stack([wave, -0.02 + 0.34 * along], axis=1)
    canvas.curves([tail], 0.06, (0.98, 0.94, 0.86), 0.85)
    canvas.ellipse((0.0, -0.06), (0.07, 0.10), (0.98, 0.80, 0.55), 0.95)


DRAWINGS: dict[str, Callable[[Canvas, Look, float], None]] = {
    "jelly": draw_jelly,
    "fish": draw_fish,
    "larvacean": draw_larvacean,
}
