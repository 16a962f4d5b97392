"""What every export is written from: an archive's boxes in pixels, and what is known of its video."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from pathlib import Path, PurePosixPath
from typing import Any

from shoal_worker.archivereader import TracksArchive, read_archive
from shoal_worker.errors import ArchiveError
from shoal_worker.exports.clock import start_of, time_of


@dataclass(frozen=True, slots=True)
class Row:
    """One box of one track: pixels, ``frame`` from 1; ``interpolated`` where no detector saw it."""

    frame: int
    track: int
    label: str
    score: float
    left: float
    top: float
    right: float
    bottom: float
    interpolated: bool

    @property
    def width(self) -> float:
        """In pixels."""
        return self.right - self.left

    @property
    def height(self) -> float:
        """In pixels."""
        return self.bottom - self.top


@dataclass(frozen=True, slots=True)
class ExportContent:
    """A video with its tracks; ``labels`` (class names) in the model's order, ``rows`` by frame, then track;
    ``voted`` the label of each track; ``start`` the UTC time of the first frame, where the name tells."""

    name: str
    width: int
    height: int
    rate: Fraction
    frames: int
    labels: tuple[str, ...]
    rows: tuple[Row, ...]
    voted: dict[int, str]
    start: datetime | None

    @property
    def stem(self) -> str:
        """The video's name without its suffix."""
        return PurePosixPath(self.name).stem

    def class_id(self, label: str) -> int:
        """From 1, as COCO and MOTChallenge count."""
        return self.labels.index(label) + 1

    def seconds(self, frame: int) -> float:
        """From the first frame, at the video's constant rate."""
        return float((frame - 1) / self.rate)

    def time(self, frame: int) -> datetime | None:
        """In UTC, where the video's name carries a time."""
        return None if self.start is None else time_of(self.start, frame, self.rate)


def read_content(archive: Path) -> ExportContent:
    """Everything that an export needs from a tracks archive.

    Raises:
        ArchiveError: it cannot be read, or lacks something.
    """
    read = read_archive(archive)
    try:
        return _content(read)
    except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        raise ArchiveError(
            f"{archive.name} lacks what an export needs ({error!r}): track the video again"
        ) from error


def _content(read: TracksArchive) -> ExportContent:
    about, shoal = read.metadata, read.metadata.get("shoal", {})
    width, height = int(about["video_width"]), int(about["video_height"])
    rows = tuple(_row(one, width, height) for one in read.detections)
    known = tuple(shoal.get("names", ()))
    more = sorted({row.label for row in rows} - set(known))
    rate = Fraction(shoal.get("video", {}).get("rate") or about["video_fps"]).limit_denominator(1_000_000)
    voted = {track["tracker_id"]: track["label"] for track in read.tracks}
    name = PurePosixPath(str(about["video_name"])).name
    if rate <= 0:
        raise ValueError("video_fps")
    return ExportContent(
        name, width, height, rate, int(about["total_frames"]), (*known, *more), rows, voted, start_of(name)
    )


def _row(one: dict[str, Any], width: int, height: int) -> Row:
    return Row(
        one["frame"], one["tracker_id"], one["label"], one["score"], one["x"] * width, one["y"] * height,
        one["xx"] * width, one["xy"] * height, bool(one.get("interpolated", 0)),
    )  # fmt: skip
