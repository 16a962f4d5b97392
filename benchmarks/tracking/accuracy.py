"""HOTA, MOTA and IDF1 on MOT15 and MOT17, ours online and offline against the peers on the same detections.

Usage: PYTHONPATH=worker .venv-peers/bin/python benchmarks/tracking/accuracy.py [--only NAME] [--ours]

One set of defaults for every sequence; a lost track is kept for the same number of seconds by all. The rows
of an online tracker are what it answers in the frame itself, never later. Every tracker runs in a process of
its own, within ``--limit`` seconds; the peers' scores are kept in ``--cache`` until a version changes.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import warnings
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from tempfile import gettempdir

import numpy as np
from peers import PEERS, Maker, quiet, versions
from scoring import Rows, Score, rows_of, score
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


MINE: dict[str, Run] = {
    "shoal online": online, "shoal offline": offline, "shoal offline, camera": offline_with_camera,
}  # fmt: skip


def measured(name: str) -> list[Score]:
    """The scores of one tracker on MOT15 and MOT17, in this process."""
    warnings.simplefilter("ignore")
    quiet()
    run = MINE.get(name) or peer(PEERS[name])
    benchmarks = [load("MOT15"), load("MOT17")]
    return [score(each, {sequence.name: run(sequence) for sequence in each})[0] for each in benchmarks]


def apart(name: str, limit: float) -> list[Score] | str:
    """The same in a process of its own, so that no tracker can stop the others; or why there is no score."""
    command = [sys.executable, __file__, "--one", name]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit, check=True)
    except subprocess.TimeoutExpired:
        return f"not measured: it took more than {limit:g} s"
    except subprocess.CalledProcessError as error:
        return f"not measured: {(error.stderr.strip().splitlines() or ['no message'])[-1]}"
    return [Score(**values) for values in json.loads(done.stdout.splitlines()[-1])]


def remembered(name: str, folder: Path, limit: float) -> list[Score] | str:
    """A peer's score from ``folder``, where it is kept for these versions of everything, or measured now."""
    kept = folder / f"{hashlib.sha256(f'{name} {SECONDS} {versions()}'.encode()).hexdigest()[:16]}.json"
    if kept.exists():
        return [Score(**values) for values in json.loads(kept.read_text())]
    found = apart(name, limit)
    if not isinstance(found, str):
        folder.mkdir(parents=True, exist_ok=True)
        kept.write_text(json.dumps([asdict(each) for each in found]))
    return found


def row(name: str, found: list[Score] | str) -> str:
    """A line of the table."""
    if isinstance(found, str):
        return f"| {name} | {found} |"
    cells = (f"{s.hota:.2f} | {s.mota:.2f} | {s.idf1:.2f} | {s.switches}" for s in found)
    return f"| {name} | {' | '.join(cells)} |"


def claims(mine: dict[str, list[Score]], theirs: dict[str, list[Score]]) -> list[str]:
    """What each of our ways has over the best peer, and over our own online tracker in MOTA."""
    lines = ["| against the best peer of each column | MOT15 HOTA | IDF1 | MOTA against online |"
             " MOT17 HOTA | IDF1 | MOTA against online |", "|---" * 7 + "|"]  # fmt: skip
    for name, found in mine.items():
        cells = [
            f"{s.hota - max(t[i].hota for t in theirs.values()):+.2f} | "
            f"{s.idf1 - max(t[i].idf1 for t in theirs.values()):+.2f} | "
            f"{s.mota - mine['shoal online'][i].mota:+.2f}"
            for i, s in enumerate(found)
        ]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", help="run the peers whose name contains this")
    parser.add_argument("--ours", action="store_true", help="run no peer")
    parser.add_argument("--limit", type=float, default=300.0, help="seconds that one tracker may take")
    parser.add_argument("--cache", type=Path, default=Path(gettempdir()) / "shoal-tracking-peers")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps([asdict(each) for each in measured(options.one)]))
        return
    print(versions())
    print(
        "| tracker | MOT15 HOTA | MOTA | IDF1 | IDSW | MOT17 HOTA | MOTA | IDF1 | IDSW |\n" + "|---" * 9 + "|"
    )
    wanted = [name for name in PEERS if not options.ours and (options.only or "") in name]
    scores: dict[str, list[Score]] = {}
    for name in [*MINE, *wanted]:
        found = (
            remembered(name, options.cache, options.limit) if name in PEERS else apart(name, options.limit)
        )
        print(row(name, found), flush=True)
        if not isinstance(found, str):
            scores[name] = found
    theirs = {name: found for name, found in scores.items() if name in PEERS}
    if theirs and "shoal online" in scores:
        mine = {name: found for name, found in scores.items() if name in MINE}
        print("\n" + "\n".join(claims(mine, theirs)))


if __name__ == "__main__":
    main()
