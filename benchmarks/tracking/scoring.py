"""HOTA, CLEAR MOT and identity scores of one or many trackers by trackeval, as MOTChallenge counts them."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from sequences import Sequence
from shoal_worker.frames import TrackTable
from trackeval.datasets import MotChallenge2DBox
from trackeval.metrics import CLEAR, HOTA, Identity

Rows = np.ndarray[Any, Any]
"""Tracks (n, 7): frame from 1, id, left, top, right, bottom, score."""


@dataclass(frozen=True)
class Score:
    """Percentages over all sequences of a benchmark, and the identity switches."""

    hota: float
    mota: float
    idf1: float
    switches: int
    detection: float
    association: float


def rows_of(table: TrackTable) -> Rows:
    """A table's rows, interpolated ones among them."""
    found = table.detections
    return np.column_stack([table.frames, table.ids, found.boxes, found.scores])


def score(sequences: list[Sequence], results: Mapping[str, Rows]) -> tuple[Score, dict[str, Score]]:
    """The combined score of one tracker, and each sequence's; ``results`` are rows by sequence name."""
    with TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        dataset = _dataset(Path(folder), sequences, results)
        metrics = [HOTA(), CLEAR({"PRINT_CONFIG": False}), Identity({"PRINT_CONFIG": False})]
        each = {sequence.name: _evaluate(dataset, sequence.name, metrics) for sequence in sequences}
    combined = [
        metric.combine_sequences({name: found[index] for name, found in each.items()})
        for index, metric in enumerate(metrics)
    ]
    return _score(combined), {name: _score(found) for name, found in each.items()}


def _dataset(folder: Path, sequences: list[Sequence], results: Mapping[str, Rows]) -> MotChallenge2DBox:
    tracks = folder / "trackers" / "mine" / "data"
    tracks.mkdir(parents=True)
    for sequence in sequences:
        truth = folder / "gt" / sequence.name / "gt"
        truth.mkdir(parents=True)
        (truth / "gt.txt").write_text(sequence.truth)
        (tracks / f"{sequence.name}.txt").write_text(_text(results[sequence.name]))
    return MotChallenge2DBox({
        "GT_FOLDER": str(folder / "gt"), "TRACKERS_FOLDER": str(folder / "trackers"),
        "TRACKERS_TO_EVAL": ["mine"], "BENCHMARK": sequences[0].benchmark, "SKIP_SPLIT_FOL": True,
        "SEQ_INFO": {sequence.name: sequence.frames for sequence in sequences}, "PRINT_CONFIG": False,
    })  # fmt: skip


def _text(rows: Rows) -> str:
    numbers, boxes = rows[:, :2].astype(int), np.hstack([rows[:, 2:4], rows[:, 4:6] - rows[:, 2:4]])
    return "".join(
        f"{frame},{identity},{left:.3f},{top:.3f},{width:.3f},{height:.3f},1,-1,-1,-1\n"
        for (frame, identity), (left, top, width, height) in zip(numbers, boxes, strict=True)
    )


def _evaluate(dataset: MotChallenge2DBox, name: str, metrics: list[Any]) -> list[dict[str, Any]]:
    raw = dataset.get_raw_seq_data("mine", name)
    data = dataset.get_preprocessed_seq_data(raw, "pedestrian")
    return [metric.eval_sequence(data) for metric in metrics]


def _score(found: list[dict[str, Any]]) -> Score:
    hota, clear, identity = found
    means = [100 * float(np.mean(hota[key])) for key in ("HOTA", "DetA", "AssA")]
    mota, idf1 = 100 * float(clear["MOTA"]), 100 * float(identity["IDF1"])
    return Score(means[0], mota, idf1, int(clear["IDSW"]), means[1], means[2])
