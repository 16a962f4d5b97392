"""Reading a tracks archive back, without unpacking it anywhere."""

from __future__ import annotations

import csv
import io
import json
import tarfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from shoal_worker.errors import ArchiveError

MAXIMUM_MEMBER = 1024**3
SAME_ROWS = "detections.json"
"""Holds what ``detections.csv`` holds."""


@dataclass(frozen=True, slots=True)
class TracksArchive:
    """What an archive holds.

    ``metadata`` and ``job_config`` are JSON objects; ``detections`` and ``tracks`` the CSV rows as typed
    values; ``mot`` the MOT text; ``events`` the visual events by frame number; ``members`` every name in
    order.
    """

    members: tuple[str, ...]
    job_config: dict[str, Any]
    metadata: dict[str, Any]
    detections: list[dict[str, Any]]
    tracks: list[dict[str, Any]]
    mot: str
    events: dict[int, list[dict[str, Any]]]


def read_archive(path: Path) -> TracksArchive:
    """Everything but the annotated video.

    Raises:
        ArchiveError: not a readable tar, or a member is missing, too large or not in its documented form.
    """
    texts: dict[str, str] = {}
    try:
        with tarfile.open(path, "r|gz") as archive:
            for member in archive:
                texts[member.name] = _text(archive, member)
    except (OSError, EOFError, tarfile.TarError) as error:
        raise ArchiveError(f"{path.name} cannot be read ({error}): download it again") from error
    folder = path.name.removesuffix(".tar.gz")
    try:
        return _parsed(texts, folder)
    except (KeyError, ValueError, TypeError, IndexError) as error:
        raise ArchiveError(
            f"{path.name} is not a tracks archive of this form ({error!r}): track the video again"
        ) from error


def _text(archive: tarfile.TarFile, member: tarfile.TarInfo) -> str:
    name = PurePosixPath(member.name)
    if not member.isfile() or name.suffix not in {".json", ".csv", ".txt"} or name.name == SAME_ROWS:
        return ""
    if member.size > MAXIMUM_MEMBER:
        raise ArchiveError(f"{member.name} is larger than 1 GiB: this is not a tracks archive")
    source = archive.extractfile(member)
    return source.read().decode("utf-8") if source is not None else ""


def _parsed(texts: dict[str, str], folder: str) -> TracksArchive:
    (mot,) = [name for name in texts if name.startswith("tracks/") and name.endswith(".txt")]
    frames = [name for name in texts if name.startswith("f") and name[1:7].isdigit() and name[7:] == ".json"]
    return TracksArchive(
        tuple(texts),
        json.loads(texts["processingjobconfig.json"]),
        json.loads(texts[f"{folder}/metadata.json"]),
        _rows(texts[f"{folder}/detections.csv"]),
        _rows(texts[f"{folder}/tracks.csv"]),
        texts[mot],
        {int(name[1:7]): [event for _, event in json.loads(texts[name])[1]] for name in frames},
    )


_WHOLE = {"frame", "tracker_id", "first_frame", "last_frame", "frame_count", "interpolated", "gap_frames"}


def _rows(text: str) -> list[dict[str, Any]]:
    return [
        {key: _value(key, value) for key, value in row.items()} for row in csv.DictReader(io.StringIO(text))
    ]


def _value(key: str, value: str) -> Any:
    if key in _WHOLE:
        return int(value)
    return value if key == "label" else float(value)
