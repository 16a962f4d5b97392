"""The texts inside a tracks archive, each generated line by line from the table."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from itertools import chain, pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from shoal_worker.archivecontent import ArchiveContent
from shoal_worker.frames import TrackTable

NAMESPACE = uuid.UUID("5c4c2d5e-7a0f-5b3e-9d54-3f1f2f0c9a11")
DETECTION_COLUMNS = ("frame", "tracker_id", "label", "score", "x", "y", "xx", "xy")
GAP_COLUMNS = ("interpolated", "gap_frames")
_ROWS_AT_ONCE = 4096
TRACK_COLUMNS = ("tracker_id", "label", "first_frame", "last_frame", "frame_count", "avg_score")


def job_config(content: ArchiveContent) -> str:
    """``processingjobconfig.json``, in the keys of Amazon SageMaker Processing as deepsea-ai writes them."""
    source = content.provenance
    return _json({
        "UserName": source.user_name,
        "ProcessingJobName": source.processing_job_name,
        "AppSpecification": {"ImageUri": source.image_uri, "ContainerArguments": list(source.arguments)},
        "VideoName": content.video.name,
    })  # fmt: skip


def mot_rows(content: ArchiveContent) -> Iterator[str]:
    """MOTChallenge's result columns separated by blanks, as track.py does: frame id left top width height
    score -1 -1 -1. An interpolated box has score 0."""
    found = content.table.detections
    sizes = found.boxes[:, 2:] - found.boxes[:, :2]
    columns = (content.table.frames, content.table.ids, found.boxes, sizes, found.scores)
    for frame, identity, box, size, score in _rows(*columns):
        place = " ".join(f"{value:.2f}" for value in (*box[:2], *size))
        yield f"{frame} {identity} {place} {score:.4f} -1 -1 -1\n"


def frame_files(content: ArchiveContent) -> Iterator[tuple[str, str]]:
    """The ``visualevents`` of every frame that has any: (member name, JSON text)."""
    bounds = np.flatnonzero(np.diff(content.table.frames, prepend=0, append=0))
    base = uuid.uuid5(NAMESPACE, f"{content.video.name}\n{content.provenance.processed_at}")
    named = _Named(base)
    for first, end in pairwise(bounds.tolist()):
        rows, frame = content.table.keep(np.arange(first, end)), int(content.table.frames[first])
        events = [["visualevent", event] for event in _events(content, rows, frame, named)]
        yield f"f{frame:06d}.json", _json(["visualevents", events], indent=None)


def _events(content: ArchiveContent, rows: TrackTable, frame: int, named: _Named) -> Iterator[dict[str, Any]]:
    found = rows.detections
    corners = np.rint(found.boxes).astype(np.int64)
    columns = (rows.ids, corners, found.scores, found.classes, rows.gaps)
    for identity, box, score, index, gap in zip(*(column.tolist() for column in columns), strict=True):
        left, top, right, bottom = box
        yield {
            "bounding_box": {"height": bottom - top, "width": right - left, "x": left, "y": top},
            "class_name": content.label(index),
            "confidence": round(score, 6),
            "frame_num": frame,
            "occlusion": 0,
            "surprise": 0,
            "track_uuid": named.track(identity),
            "uuid": named(f"{identity}/{frame}"),
            **({"interpolated": True, "gap_frames": gap} if gap else {}),
        }


class _Named:
    """Texts of version 5 UUIDs below one namespace (RFC 9562 5.5), a third of what ``uuid.uuid5`` takes: an
    archive has one for every box."""

    def __init__(self, base: uuid.UUID) -> None:
        self._base, self._tracks = base.bytes, dict[int, str]()

    def __call__(self, name: str) -> str:
        digest = hashlib.sha1(self._base + name.encode(), usedforsecurity=False).hexdigest()
        variant = "89ab"[int(digest[16], 16) & 3]
        return f"{digest[:8]}-{digest[8:12]}-5{digest[13:16]}-{variant}{digest[17:20]}-{digest[20:32]}"

    def track(self, identity: int) -> str:
        """That of a track, which every one of its boxes has."""
        if identity not in self._tracks:
            self._tracks[identity] = self(f"{identity}")
        return self._tracks[identity]


def detection_rows(content: ArchiveContent) -> Iterator[str]:
    """``detections.csv``: corners as shares of the picture, 0..1.

    Where a box was interpolated, two more columns say so and how long the gap is; a result without any keeps
    MBARI's columns to the letter.
    """
    yield from _csv(chain([_detection_columns(content)], _detection_values(content)))


def detection_objects(content: ArchiveContent) -> Iterator[str]:
    """``detections.json``: the rows of ``detections.csv`` as a list of objects, one a line."""
    # A template: a dictionary and an encoder for each row would take twice as long.
    form = "{" + ", ".join(f'"{column}": %s' for column in _detection_columns(content)) + "}"
    quoted: dict[str, str] = {}
    before = "[\n"
    for frame, identity, label, *rest in _detection_values(content):
        if label not in quoted:
            quoted[label] = _json(label, indent=None)
        yield before + form % (frame, identity, quoted[label], *rest)
        before = ",\n"
    yield "\n]\n" if before == ",\n" else "[]\n"


def _detection_columns(content: ArchiveContent) -> tuple[str, ...]:
    return DETECTION_COLUMNS + (GAP_COLUMNS if content.table.interpolated.any() else ())


def _detection_values(content: ArchiveContent) -> Iterator[tuple[Any, ...]]:
    table, found = content.table, content.table.detections
    width, height, flagged = content.video.width, content.video.height, bool(table.interpolated.any())
    columns = (table.frames, table.ids, found.classes, found.scores, found.boxes, table.gaps)
    for frame, identity, index, score, (left, top, right, bottom), gap in _rows(*columns):
        corners = (left / width, top / height, right / width, bottom / height)
        row = (frame, identity, content.label(index), score, *corners)
        yield row + ((int(gap > 0), gap) if flagged else ())


def track_rows(content: ArchiveContent) -> Iterator[str]:
    """``tracks.csv``: one row per track, its label by vote."""
    rows = (
        (track.id, track.label, track.first_frame, track.last_frame, track.frame_count, track.average_score)
        for track in content.summaries
    )
    yield from _csv(chain([TRACK_COLUMNS], rows))


def metadata(content: ArchiveContent) -> str:
    """``metadata.json``: the keys that MBARI's loader knows, then how this result came about, under
    ``shoal``."""
    video, source = content.video, content.provenance
    return _json({
        "video_name": video.name,
        "video_path": source.video_path or video.name,
        "processed_at": source.processed_at,
        "total_frames": content.frames,
        "video_width": video.width,
        "video_height": video.height,
        "video_fps": video.fps,
        "total_detections": len(content.table),
        "unique_tracks": len(content.summaries),
        "detection_threshold": content.options.threshold,
        "min_track_frames": content.parameters.minimum_frames,
        "slice_size": None,
        "model": content.model.name,
        "shoal": _how(content),
    })  # fmt: skip


def _how(content: ArchiveContent) -> dict[str, Any]:
    model = content.model
    return {
        "model": {"sha256": model.sha256, "layout": model.layout, "input": list(model.size),
                  "provider": model.provider, "precision": model.precision},
        "tracker": {"kind": content.tracker, **asdict(content.parameters)},
        "arguments": content.options.text,
        "video": {"codec": content.video.codec, "rate": str(content.video.rate),
                  "start_seconds": content.video.start_seconds, "damaged_packets": content.damaged,
                  "decoder": content.decoder},
        "origin": _origin(content),
        "interpolated_boxes": int(content.table.interpolated.sum()),
        "names": list(content.names),
        "notes": list(content.notes),
        **({"appearance": looks} if (looks := content.log.about.get("appearance")) else {}),
    }  # fmt: skip


def _origin(content: ArchiveContent) -> dict[str, Any]:
    """What is needed to do it again: checksums of video, code and image, and the tracker's file."""
    source = content.provenance
    return {
        **content.log.about.get("origin", {}),
        "image": {"uri": source.image_uri, "digest": source.image_digest},
        "model_version": source.model_version,
        "track_config": content.track_config,
    }


def receipt_text(content: ArchiveContent) -> str | None:
    """``receipt.json``, where one is wanted: the only member that differs from run to run."""
    return None if content.receipt is None else _json(content.receipt())


def _rows(*columns: npt.NDArray[Any]) -> Iterator[tuple[Any, ...]]:
    """Row by row as Python's own numbers, which weigh ten times what the arrays do: some at a time."""
    for start in range(0, len(columns[0]), _ROWS_AT_ONCE):
        yield from zip(*(column[start : start + _ROWS_AT_ONCE].tolist() for column in columns), strict=True)


def _csv(rows: Iterable[tuple[Any, ...]]) -> Iterator[str]:
    line = io.StringIO()
    writer = csv.writer(line, lineterminator="\n")
    for row in rows:
        writer.writerow(row)
        yield line.getvalue()
        line.seek(0)
        line.truncate()


def _json(value: Any, indent: int | None = 2) -> str:
    return json.dumps(value, indent=indent, ensure_ascii=False)
