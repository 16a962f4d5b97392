"""A contact sheet: the best view of every track, one beside the other, with its name and time."""

from __future__ import annotations

import math
from pathlib import Path

import cv2
import numpy as np

from shoal_worker.exports.content import ExportContent, Row
from shoal_worker.frames import Image
from shoal_worker.video import Reader

CELL = (200, 150)
"""Width and height of a view, in pixels."""
CAPTION = 34
COLUMNS = 6
MOST = 240
"""Tracks on one sheet, the best seen first."""
_MARGIN = 0.25


def best_views(content: ExportContent) -> list[Row]:
    """For each track the detected box with the greatest score times the root of its area, best first."""
    best: dict[int, Row] = {}
    for row in content.rows:
        if not row.interpolated and (row.track not in best or _worth(row) > _worth(best[row.track])):
            best[row.track] = row
    return sorted(best.values(), key=lambda row: (-_worth(row), row.track))[:MOST]


def write_contact_sheet(content: ExportContent, video: Reader, target: Path) -> int:
    """Write a PNG and answer how many tracks are on it; ``video`` is decoded as far as the last view.

    Raises:
        VideoError: the video cannot be decoded.
    """
    views = sorted(best_views(content), key=lambda row: row.track)
    wanted: dict[int, list[Row]] = {}
    for row in views:
        wanted.setdefault(row.frame, []).append(row)
    cells: dict[int, Image] = {}
    for frame in video if wanted else ():
        for row in wanted.pop(frame.number, ()):
            cells[row.track] = _cell(frame.image, row, content)
        if not wanted:
            break
    encoded = cv2.imencode(".png", _sheet([cells[row.track] for row in views if row.track in cells]))[1]
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(encoded.tobytes())
    return len(cells)


def _worth(row: Row) -> float:
    return row.score * math.sqrt(max(0.0, row.width * row.height))


def _cell(image: Image, row: Row, content: ExportContent) -> Image:
    """A view in BGR with two lines under it."""
    cell = np.zeros((CELL[1] + CAPTION, CELL[0], 3), np.uint8)
    view = _cut(image, row)
    factor = min(CELL[0] / view.shape[1], CELL[1] / view.shape[0])
    width, height = max(1, int(view.shape[1] * factor)), max(1, int(view.shape[0] * factor))
    left, top = (CELL[0] - width) // 2, (CELL[1] - height) // 2
    cell[top : top + height, left : left + width] = cv2.resize(view, (width, height))[:, :, ::-1]
    time = content.time(row.frame)
    when = f"{time:%H:%M:%S}Z" if time else f"{content.seconds(row.frame):.1f} s"
    lines = (f"{row.track} {content.voted.get(row.track, row.label)}", f"{row.score:.2f}  {when}")
    for number, line in enumerate(lines):
        place = (4, CELL[1] + 14 + 15 * number)
        cv2.putText(cell, line[:28], place, cv2.FONT_HERSHEY_SIMPLEX, 0.42, (235, 235, 235), 1, cv2.LINE_AA)
    return cell


def _cut(image: Image, row: Row) -> Image:
    margin = _MARGIN * max(row.width, row.height)
    height, width = image.shape[:2]
    left, top = max(0, int(row.left - margin)), max(0, int(row.top - margin))
    right, bottom = min(width, int(row.right + margin) + 1), min(height, int(row.bottom + margin) + 1)
    return image[min(top, height - 1) : max(bottom, top + 1), min(left, width - 1) : max(right, left + 1)]


def _sheet(cells: list[Image]) -> Image:
    empty = np.zeros((CELL[1] + CAPTION, CELL[0], 3), np.uint8)
    columns = min(COLUMNS, max(1, len(cells)))
    cells = cells + [empty] * (-len(cells) % columns) or [empty]
    rows = [np.hstack(cells[first : first + columns]) for first in range(0, len(cells), columns)]
    return np.vstack(rows)
