"""The MOTChallenge sequences beside the project: detections, truth and, for MOT17, the camera's motion."""

from __future__ import annotations

import configparser
import gzip
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from shoal_worker.frames import Detections, Floats

MOT = Path(__file__).resolve().parents[3] / "shared" / "data" / "mot"


@dataclass(frozen=True)
class Sequence:
    """One sequence: every frame's detections, the truth as text, the camera's motion where it is known."""

    name: str
    benchmark: str
    fps: float
    size: tuple[int, int]
    seen: list[Detections]
    truth: str
    camera: list[Floats | None]

    @property
    def frames(self) -> int:
        """How many frames it has."""
        return len(self.seen)

    @property
    def still(self) -> list[Floats | None]:
        """What a tracker without camera motion is given."""
        return [None] * self.frames


def load(benchmark: str, root: Path = MOT) -> list[Sequence]:
    """Every sequence of ``MOT15`` or ``MOT17`` by name; raises FileNotFoundError where there is none."""
    folders = sorted(path.parent for path in (root / benchmark.lower()).glob("*/det.txt"))
    if not folders:
        raise FileNotFoundError(f"no sequence of {benchmark} in {root}")
    return [_sequence(folder, benchmark, root) for folder in folders]


def _sequence(folder: Path, benchmark: str, root: Path) -> Sequence:
    parser = configparser.ConfigParser()
    parser.read(folder / "seqinfo.ini")
    about = parser["Sequence"]
    frames = int(about["seqLength"])
    rows = np.loadtxt(folder / "det.txt", delimiter=",", ndmin=2)
    packed = folder / "gt.txt.gz"
    truth = gzip.decompress(packed.read_bytes()) if packed.exists() else (folder / "gt.txt").read_bytes()
    size = int(about["imWidth"]), int(about["imHeight"])
    motion = root / f"cmc_{benchmark.lower()}" / f"{folder.name}.txt"
    return Sequence(
        folder.name, benchmark, float(about["frameRate"]), size,
        [_detections(rows[rows[:, 0] == frame]) for frame in range(1, frames + 1)],
        truth.decode(), _camera(motion, frames),
    )  # fmt: skip


def _detections(rows: Floats) -> Detections:
    boxes = np.concatenate([rows[:, 2:4], rows[:, 2:4] + rows[:, 4:6]], axis=1).astype(np.float32)
    return Detections(boxes, rows[:, 6].clip(0, 1).astype(np.float32), np.zeros(len(rows), np.int64))


def _camera(path: Path, frames: int) -> list[Floats | None]:
    """The stored affines: row k is the motion from frame k to frame k + 1, both counted from 1."""
    if not path.exists():
        return [None] * frames
    rows = np.loadtxt(path, ndmin=2)
    motion: list[Floats | None] = [row[1:].reshape(2, 3) for row in rows]
    return (motion + [None] * frames)[:frames]
