"""Scores the packaged detector on held-out videos with the real worker: ``python -m shoal_detector.score``.

What is scored is what a user gets: the MOT text inside the archive, and each track's label.
"""

from __future__ import annotations

import argparse
import io
import json
import subprocess
import tarfile
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table
from shoal_worker import Detector, TrackResult, track_video

from shoal_detector import CLASS_NAMES, model_path
from shoal_detector.evaluation import Rows, Score, evaluate, truth_rows
from shoal_detector.render import render_video

HELD_OUT = (101, 202, 303)  # training renders seeds from 10,000 on
FRAMES = 300


def score_video(detector: Detector, folder: Path, seed: int, frames: int) -> Score:
    """Render a video into ``folder``, track it with the worker's defaults, and compare with the truth."""
    video = folder / f"held-out-{seed}.mp4"
    truth = render_video(video, seed, frames)
    result = track_video(video, detector, folder)
    return evaluate(truth_rows(truth), archive_rows(result, video.stem), frames)


def archive_rows(result: TrackResult, stem: str) -> Rows:
    """The tracks of an archive; raises KeyError when a track's label is none of our classes."""
    with tarfile.open(result.archive) as archive:
        member = next(name for name in archive.getnames() if name.endswith(f"tracks/{stem}.txt"))
        stream = archive.extractfile(member)
        text = stream.read().decode() if stream else ""
    columns = np.loadtxt(io.StringIO(text), ndmin=2).reshape(-1, 10)
    index = {name: number for number, name in enumerate(CLASS_NAMES)}
    label = {summary.id: index[summary.label] for summary in result.summaries}
    ids = columns[:, 1].astype(np.int64)
    labels = np.asarray([label[identity] for identity in ids.tolist()], np.int64)
    return Rows(columns[:, 0].astype(np.int64), ids, labels, columns[:, 2:6])


def mean(scores: Sequence[Score]) -> Score:
    """The mean of each share, and all the switches."""
    shares = {
        field.name: float(np.mean([getattr(score, field.name) for score in scores]))
        for field in fields(Score)
    }
    shares.pop("switches")
    return Score(**shares, switches=sum(score.switches for score in scores))


def update_card(path: Path, scores: dict[int, Score]) -> None:
    """Write the scores into ``<model>.json``: ``score`` is the mean over the held-out videos."""
    card: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    card["score"] = _rounded(mean(list(scores.values())))
    card["held_out"] = {
        "frames": FRAMES,
        "seeds": {str(seed): _rounded(score) for seed, score in scores.items()},
    }
    card["scored_at_commit"] = commit()
    path.write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")


def commit() -> str:
    """The commit that the working tree stands on; raises CalledProcessError outside a git repository."""
    command = ["git", "rev-parse", "HEAD"]
    folder = Path(__file__).parent
    answer = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)  # noqa: S603
    return answer.stdout.strip()


def print_scores(scores: dict[int, Score]) -> None:
    """A table, one row per video."""
    table = Table("seed", *[field.name for field in fields(Score)])
    rows = {**{str(seed): score for seed, score in scores.items()}, "mean": mean(list(scores.values()))}
    for name, score in rows.items():
        table.add_row(name, *[str(value) for value in _rounded(score).values()])
    Console().print(table)


def _rounded(score: Score) -> dict[str, float]:
    return {name: round(value, 4) for name, value in asdict(score).items()}


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m shoal_detector.score", description=__doc__)
    parser.add_argument("--model", type=Path, default=model_path())
    parser.add_argument("--write", action="store_true", help="put the scores into <model>.json")
    options = parser.parse_args(arguments)
    detector = Detector(options.model)
    with tempfile.TemporaryDirectory() as folder:
        scores = {seed: score_video(detector, Path(folder), seed, FRAMES) for seed in HELD_OUT}
    print_scores(scores)
    if options.write:
        update_card(options.model.with_suffix(".json"), scores)


if __name__ == "__main__":
    main()
