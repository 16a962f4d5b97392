"""COCO with videos: ``images`` are frames with ``video_id`` and ``frame_index``, ``annotations`` carry
``track_id``; the keys of COCO (cocodataset.org, "Data format") and of its video forms (TAO, BURST).

Every frame of the video is an image, also one without a box. ``frame_index`` counts from 0 as those tools do,
``frame`` from 1 as the archive does; ``date_captured`` is UTC where the video's name carries a time.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

from shoal_worker.exports.clock import iso
from shoal_worker.exports.content import ExportContent, Row

VIDEO = 1


def write_coco(content: ExportContent, target: Path) -> None:
    """Write the JSON, entry by entry."""
    with target.open("w", encoding="utf-8") as stream:
        stream.write("{")
        _list(stream, "videos", [_video(content)], ",")
        _list(stream, "images", _images(content), ",")
        _list(stream, "annotations", _annotations(content), ",")
        _list(stream, "tracks", _tracks(content), ",")
        _list(stream, "categories", _categories(content), "\n}\n")


def _list(stream: IO[str], name: str, entries: Iterable[dict[str, Any]], end: str) -> None:
    stream.write(f"\n{json.dumps(name)}: [")
    for number, entry in enumerate(entries):
        stream.write(("," if number else "") + "\n" + json.dumps(entry, ensure_ascii=False))
    stream.write(f"\n]{end}")


def _video(content: ExportContent) -> dict[str, Any]:
    size = {"width": content.width, "height": content.height}
    return {"id": VIDEO, "name": content.name, **size, "fps": float(content.rate), "length": content.frames}


def _images(content: ExportContent) -> Iterator[dict[str, Any]]:
    for frame in range(1, content.frames + 1):
        time = content.time(frame)
        yield {
            "id": frame, "video_id": VIDEO, "frame_index": frame - 1, "frame": frame,
            "file_name": f"{content.stem}/{frame:06d}.jpg", "width": content.width, "height": content.height,
            **({} if time is None else {"date_captured": iso(time)}),
        }  # fmt: skip


def _annotations(content: ExportContent) -> Iterator[dict[str, Any]]:
    for number, row in enumerate(content.rows, 1):
        yield {
            "id": number, "image_id": row.frame, "video_id": VIDEO, "track_id": row.track,
            "category_id": content.class_id(row.label), "bbox": _box(row), "iscrowd": 0,
            "area": round(row.width * row.height, 2), "score": round(row.score, 6),
            **({"interpolated": True} if row.interpolated else {}),
        }  # fmt: skip


def _box(row: Row) -> list[float]:
    return [round(value, 2) for value in (row.left, row.top, row.width, row.height)]


def _tracks(content: ExportContent) -> Iterator[dict[str, Any]]:
    for track, label in content.voted.items():
        yield {"id": track, "video_id": VIDEO, "category_id": content.class_id(label), "name": label}


def _categories(content: ExportContent) -> Iterator[dict[str, Any]]:
    for number, label in enumerate(content.labels, 1):
        yield {"id": number, "name": label, "supercategory": ""}
