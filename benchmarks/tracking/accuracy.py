"""HOTA, MOTA and IDF1 on MOT15 and MOT17, ours online and offline against the peers on the same detections.

Usage: PYTHONPATH=worker .venv-peers/bin/python benchmarks/tracking/accuracy.py [--only NAME] [--ours]

One set of defaults for every sequence; a lost track is kept for the same number of seconds by all. The rows
of an online tracker are what it answers in the frame itself, never later.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable

import numpy as np
from peers import PEERS, Maker, quiet, versions
from scoring import Rows, rows_of, score
from sequences import Sequence, load
from shoal_worker.offline import track_offline
from shoal_worker.tracker import Tracker, TrackerParameters

Run = Callable[[Sequence], Rows]
SECONDS = 2.0


def online(sequence: Sequence) -> Rows:
    """Our tracker, frame by frame, without camera motion."""
    tracker = Tracker(TrackerParameters(lost_seconds=SECONDS), sequence.fps)
    rows = []
    for number, found in enumerate(sequence.seen, 1):
        now = tracker.update(found).confirmed
        seen = now.detections
        rows.append(np.column_stack([np.full(len(now), number), now.ids, seen.boxes, seen.scores]))
    return np.concatenate(rows)


def offline(sequence: Sequence) -> Rows:
    """Our offline pass without camera motion."""
    return _offline(sequence, measured=False)


def offline_with_camera(sequence: Sequence) -> Rows:
    """Our offline pass with the stored camera motion; MOT15 has none."""
    return _offline(sequence, measured=True)


def _offline(sequence: Sequence, *, measured: bool) -> Rows:
    camera = sequence.camera if measured else sequence.still
    parameters = TrackerParameters(lost_seconds=SECONDS)
    return rows_of(track_offline(sequence.seen, camera, parameters, sequence.fps, sequence.size))


def peer(make: Maker) -> Run:
    """A peer, frame by frame."""

    def run(sequence: Sequence) -> Rows:
        update = make(sequence.fps, SECONDS)
        answers = [update(found) for found in sequence.seen]
        return np.concatenate([
            np.column_stack([np.full(len(rows), number), rows]) for number, rows in enumerate(answers, 1)
        ])  # fmt: skip

    return run


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", help="run the peers whose name contains this")
    parser.add_argument("--ours", action="store_true", help="run no peer")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    quiet()
    mine: dict[str, Run] = {
        "shoal online": online, "shoal offline": offline, "shoal offline, camera": offline_with_camera,
    }  # fmt: skip
    theirs = {} if options.ours else {name: peer(make) for name, make in PEERS.items()}
    wanted = {name: run for name, run in theirs.items() if not options.only or options.only in name}
    benchmarks = [load("MOT15"), load("MOT17")]
    print(versions())
    print(
        "| tracker | MOT15 HOTA | MOTA | IDF1 | IDSW | MOT17 HOTA | MOTA | IDF1 | IDSW |\n" + "|---" * 9 + "|"
    )
    for name, run in {**mine, **wanted}.items():
        found = [score(each, {sequence.name: run(sequence) for sequence in each})[0] for each in benchmarks]
        cells = (f"{s.hota:.2f} | {s.mota:.2f} | {s.idf1:.2f} | {s.switches}" for s in found)
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
