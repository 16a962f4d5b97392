"""The engine's results as the JSON of ``POST /predict``. Boxes are in pixels, from the top left corner."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from shoal_worker import Detections, TrackResult, read_archive


def boxes_of(found: Detections, label: Callable[[int], str]) -> list[dict[str, Any]]:
    """One object per detection, best first: ``x``, ``y``, ``width``, ``height``, its confidence and class."""
    rows = zip(found.boxes.tolist(), found.scores.tolist(), found.classes.tolist(), strict=True)
    return [
        {
            "x": round(left, 2),
            "y": round(top, 2),
            "width": round(right - left, 2),
            "height": round(bottom - top, 2),
            "confidence": round(score, 4),
            "class_id": index,
            "class_name": label(index),
        }
        for (left, top, right, bottom), score, index in rows
    ]


def tracks_of(result: TrackResult) -> dict[str, Any]:
    """Every track of a video with its box in every frame, read back from the archive that was written."""
    width, height = result.video.width, result.video.height
    boxes: dict[int, list[dict[str, Any]]] = {}
    for row in read_archive(result.archive).detections:
        boxes.setdefault(row["tracker_id"], []).append(_box(row, width, height))
    tracks = [
        {
            "track_id": track.id,
            "class_name": track.label,
            "first_frame": track.first_frame,
            "last_frame": track.last_frame,
            "frame_count": track.frame_count,
            "confidence": round(track.average_score, 4),
            "boxes": boxes.get(track.id, []),
        }
        for track in result.summaries
    ]
    fps = round(result.video.fps, 3)
    return {"tracks": tracks, "frames": result.frames, "width": width, "height": height, "fps": fps}


def _box(row: dict[str, Any], width: int, height: int) -> dict[str, Any]:
    return {
        "frame": row["frame"],
        "x": round(row["x"] * width, 2),
        "y": round(row["y"] * height, 2),
        "width": round((row["xx"] - row["x"]) * width, 2),
        "height": round((row["xy"] - row["y"]) * height, 2),
        "confidence": round(row["score"], 4),
    }
