"""Simulated fleets: Shoal's policy, documented alarms with a capacity provider, and deepsea-ai's stack.

Usage: python -m benchmarks.fleet [--chart benchmarks/fleet/chart.svg]

A model, with the inputs it prints: no AWS account was used, and no price or speed was measured on one.
"""

from __future__ import annotations

import argparse
import dataclasses
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from benchmarks.fleet.chart import draw
from benchmarks.fleet.inputs import FLEETS, MACHINES, VIDEO_FRAMES, Inputs, Machine
from benchmarks.fleet.measure import REPEATS, Figures, MakePolicy, measure
from benchmarks.fleet.policies import AlarmsAndProvider, Ancestor, Shoal

SYSTEMS: dict[str, MakePolicy] = {
    "shoal, image on the AMI": Shoal,
    "shoal, stock AMI": lambda inputs: Shoal(inputs, baked=False),
    "alarms and capacity provider": AlarmsAndProvider,
    "ancestor": Ancestor,
    "ancestor, charitable": lambda inputs: Ancestor(inputs, charitable=True),
}
Case = tuple[int, Machine, bool, str]
CASES: list[Case] = [
    (videos, machine, spot, system)
    for videos in FLEETS for machine in MACHINES for spot in (False, True) for system in SYSTEMS
]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--chart", type=Path, help="write the picture there")
    arguments = parser.parse_args()
    began, inputs = time.perf_counter(), Inputs()
    print("A model. No AWS account was used; a speed is a planning value until a GPU has measured it.\n")
    _table("Inputs", ("input", "value", "basis"), inputs.table())
    _table("Machines", ("type", "frames/s", "USD/h", "spot USD/h"), _machines())
    found = {case: measure(*case[:3], SYSTEMS[case[3]], inputs) for case in CASES}
    _table(f"Cases ({_repeats()})", HEAD, (_row(case, figures) for case, figures in found.items()))
    _table("Must show", ("claim", "figure", "wanted", ""), _claims(found))
    _table("Sensitivity: 10 videos, g4dn.xlarge, on demand", SENSITIVE, _sensitivities(inputs))
    if arguments.chart:
        arguments.chart.write_text(draw({case: one for case, one in found.items() if case[1] is MACHINES[0]}))
    print(f"{len(CASES)} cases in {time.perf_counter() - began:.0f} s")


HEAD = (
    "videos", "fleet", "type", "market", "system", "first frame min (worst)", "makespan h",
    "tail min (worst)", "USD/video-hour", "over the bound", "idle GPU-h", "lost", "twice",
)  # fmt: skip
SENSITIVE = (
    "input", "value", "first frame min", "tail min", "USD/video-hour", "of the ancestor's", "charitable"
)  # fmt: skip
_CHANGES: dict[str, tuple[float, ...]] = {
    "boot": (80, 150), "baked": (10, 40), "model": (10, 60), "event": (1, 10), "transfer": (0, 120),
    "failure": (0, 0.02), "metric_lag": (30, 120), "ancestor_tail": (3600,), "pull": (120,),
}  # fmt: skip


def _row(case: Case, one: Figures) -> tuple[str, ...]:
    videos, machine, spot, system = case
    return (
        f"{videos:,}", str(FLEETS[videos]), machine.name, "spot" if spot else "on demand", system,
        f"{one.first_frame_minutes:.1f} ({one.first_frame_worst:.1f})", f"{one.makespan_hours:.2f}",
        f"{one.tail_minutes:.1f} ({one.tail_worst:.1f})", f"{one.usd_per_video:.3f}",
        f"{one.usd_per_video / one.bound_usd - 1:+.1%}", f"{one.idle_hours:,.1f}", f"{one.lost:,}",
        f"{one.twice:,}",
    )  # fmt: skip


def _claims(found: dict[Case, Figures]) -> Iterable[tuple[str, ...]]:
    """The four claims, each in its worst case over the machines on demand."""
    ours, theirs = "shoal, image on the AMI", "ancestor"

    def worst(system: str, videos: Iterable[int], read: Callable[[Figures], float]) -> float:
        return max(read(found[n, machine, False, system]) for n in videos for machine in MACHINES)

    def ratio(machine: Machine, system: str) -> float:
        mine, other = found[10, machine, False, ours], found[10, machine, False, system]
        return mine.usd_per_video / other.usd_per_video

    first = worst(ours, FLEETS, lambda one: one.first_frame_worst)
    peer = found[1, MACHINES[0], False, theirs]
    tail = worst(ours, FLEETS, lambda one: one.tail_worst)
    cost = max(ratio(machine, theirs) for machine in MACHINES)
    kind = max(ratio(machine, "ancestor, charitable") for machine in MACHINES)
    over = worst(ours, [1_000], lambda one: one.usd_per_video / one.bound_usd - 1)
    yield "first frame from zero, worst", f"{first:.2f} min", "<= 3.5", _met(first <= 3.5)
    yield "the same with the stock AMI", f"{worst('shoal, stock AMI', FLEETS, _first):.2f} min", "", ""
    yield "first frame of the ancestor, mean", f"{peer.first_frame_minutes:.1f} min", "", ""
    yield "idle tail, worst", f"{tail:.2f} min", "<= 2", _met(tail <= 2)
    yield "idle tail of the ancestor", f"{peer.tail_minutes:.0f} min", "", ""
    yield "USD/video-hour at 10, of the ancestor's", f"{cost:.3f}", "<= 0.27", _met(cost <= 0.27)
    yield "the same, ancestor read charitably", f"{kind:.3f}", "", ""
    yield "USD/video-hour at 1,000 over the no-idle bound", f"{over:.1%}", "<= 5%", _met(over <= 0.05)


def _first(one: Figures) -> float:
    return one.first_frame_worst


def _met(holds: bool) -> str:
    return "met" if holds else "NOT met"


def _sensitivities(inputs: Inputs) -> Iterable[tuple[str, ...]]:
    yield _sensitivity("(none)", "", inputs, MACHINES[0])
    for name, values in _CHANGES.items():
        for value in values:
            changed = dataclasses.replace(inputs, **{name: value})
            yield _sensitivity(name, f"{value:g}", changed, MACHINES[0])
    for speed in (13.0, 60.0):
        machine = dataclasses.replace(MACHINES[0], frames_per_second=speed)
        yield _sensitivity("frames/s", f"{speed:g}", inputs, machine)


def _sensitivity(name: str, value: str, inputs: Inputs, machine: Machine) -> tuple[str, ...]:
    ours = measure(10, machine, False, Shoal, inputs)
    theirs = measure(10, machine, False, Ancestor, inputs)
    kind = measure(10, machine, False, SYSTEMS["ancestor, charitable"], inputs)
    return (
        name, value, f"{ours.first_frame_minutes:.2f}", f"{ours.tail_minutes:.2f}",
        f"{ours.usd_per_video:.3f}", f"{ours.usd_per_video / theirs.usd_per_video:.3f}",
        f"{ours.usd_per_video / kind.usd_per_video:.3f}",
    )  # fmt: skip


def _machines() -> Iterable[tuple[str, ...]]:
    for one in MACHINES:
        yield one.name, f"{one.frames_per_second:g}", f"{one.on_demand:g}", f"{one.spot:g}"


def _repeats() -> str:
    runs = ", ".join(f"{count} runs of {videos:,}" for videos, count in REPEATS.items())
    return f"one-hour videos of {VIDEO_FRAMES:,} frames; {runs}"


def _table(title: str, head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> None:
    print(f"### {title}\n\n| {' | '.join(head)} |\n|{'---|' * len(head)}")
    for row in rows:
        print(f"| {' | '.join(row)} |")
    print()


if __name__ == "__main__":
    main()
