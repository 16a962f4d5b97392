"""The picture: cost of a video-hour by the size of the burst; minutes to the first frame, after the last."""

from __future__ import annotations

import math
from collections.abc import Iterable

from benchmarks.fleet.inputs import FLEETS, Machine
from benchmarks.fleet.measure import Figures

Found = dict[tuple[int, Machine, bool, str], Figures]
SHOWN = {
    "shoal, image on the AMI": "#0b7285",
    "shoal, stock AMI": "#66b2c2",
    "alarms and capacity provider": "#c69026",
    "ancestor": "#a63d40",
}
WIDTH, HEIGHT, LEFT, TOP, PLOT = 980, 560, 70, 90, 300


def draw(found: Found) -> str:
    """The SVG of one machine's cases on demand."""
    machine = next(iter(found))[1]
    cases = {(videos, system): one for (videos, _, spot, system), one in found.items() if not spot}
    parts = [
        _text(LEFT, 30, f"Simulated fleets of {machine.name}, on demand; videos of one hour", 18),
        _text(LEFT, 52, "A model (benchmarks/fleet): no AWS account was used. Lower is better.", 13, "#555"),
        *_costs(cases),
        *_minutes(cases),
        *_legend(),
    ]
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif">'
    return "\n".join([head, f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>', *parts, "</svg>", ""])


def _costs(cases: dict[tuple[int, str], Figures]) -> Iterable[str]:
    """Bars for each burst, the no-idle bound as a dashed line."""
    most = max(cases[videos, system].usd_per_video for videos in FLEETS for system in SHOWN) * 1.1
    bound = next(iter(cases.values())).bound_usd
    yield _text(LEFT, TOP - 12, "USD for a video-hour, by videos submitted together", 14)
    for group, videos in enumerate(FLEETS):
        left = LEFT + 20 + group * 118
        for number, (system, colour) in enumerate(SHOWN.items()):
            value = cases[videos, system].usd_per_video
            yield _bar(left + number * 25, value / most, colour, f"{value:.2f}", 22)
        yield _text(left + 48, TOP + PLOT + 20, f"{videos:,}", 13, "#222", "middle")
    level = TOP + PLOT * (1 - bound / most)
    yield (
        f'<line x1="{LEFT}" x2="{LEFT + 490}" y1="{level:.1f}" y2="{level:.1f}" '
        'stroke="#222" stroke-dasharray="5 4"/>'
    )
    yield _text(LEFT, TOP + PLOT + 42, f"dashed: no idle second at all, {bound:.3f} USD", 12, "#222")


def _minutes(cases: dict[tuple[int, str], Figures]) -> Iterable[str]:
    """First frame and idle tail of a single video, on a logarithmic scale from 1 to 300 minutes."""
    yield _text(620, TOP - 12, "minutes, one video, logarithmic", 14)
    for group, (label, name) in enumerate(
        (("first frame", "first_frame_minutes"), ("idle tail", "tail_minutes"))
    ):
        left = 640 + group * 150
        for number, (system, colour) in enumerate(SHOWN.items()):
            value = float(getattr(cases[1, system], name))
            yield _bar(
                left + number * 30, math.log(max(value, 1.05)) / math.log(300), colour, f"{value:.1f}", 26
            )
        yield _text(left + 58, TOP + PLOT + 20, label, 13, "#222", "middle")


def _legend() -> Iterable[str]:
    for number, (system, colour) in enumerate(SHOWN.items()):
        x, y = LEFT + (number % 2) * 330, TOP + PLOT + 76 + (number // 2) * 26
        yield f'<rect x="{x}" y="{y - 12}" width="16" height="16" fill="{colour}"/>'
        yield _text(x + 24, y + 1, system, 13)


def _bar(x: float, share: float, colour: str, label: str, width: int) -> str:
    height = PLOT * min(1.0, share)
    top = TOP + PLOT - height
    bar = f'<rect x="{x}" y="{top:.1f}" width="{width}" height="{height:.1f}" fill="{colour}"/>'
    return bar + _text(x + width / 2, top - 4, label, 11, "#222", "middle")


def _text(x: float, y: float, text: str, size: int, colour: str = "#222", anchor: str = "start") -> str:
    return (
        f'<text x="{x}" y="{y:.1f}" font-size="{size}" fill="{colour}" text-anchor="{anchor}">{text}</text>'
    )
