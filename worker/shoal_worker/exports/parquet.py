"""Parquet: one row per box, for data frames; needs pyarrow (the extra ``parquet``)."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from shoal_worker.errors import ExportError
from shoal_worker.exports.content import ExportContent

COLUMNS = ("frame", "seconds", "utc", "tracker_id", "label", "score", "left", "top", "right", "bottom",
           "interpolated")  # fmt: skip
"""``frame`` from 1; ``seconds`` from the first frame; ``utc`` null where the video's name carries no time;
corners in pixels."""


def write_parquet(content: ExportContent, target: Path) -> None:
    """Write the table; its schema carries the video's name, size, rate and number of frames.

    Raises:
        ExportError: pyarrow is not installed.
    """
    if importlib.util.find_spec("pyarrow") is None:
        raise ExportError("Parquet needs pyarrow: pip install 'shoal[parquet]'")
    import pyarrow as arrow
    from pyarrow import parquet

    rows = content.rows
    columns = {
        "frame": arrow.array([row.frame for row in rows], arrow.int32()),
        "seconds": arrow.array([content.seconds(row.frame) for row in rows], arrow.float64()),
        "utc": arrow.array([content.time(row.frame) for row in rows], arrow.timestamp("us", tz="UTC")),
        "tracker_id": arrow.array([row.track for row in rows], arrow.int32()),
        "label": arrow.array([row.label for row in rows], arrow.string()),
        "score": arrow.array([row.score for row in rows], arrow.float32()),
        **{
            side: arrow.array([getattr(row, side) for row in rows], arrow.float32())
            for side in ("left", "top", "right", "bottom")
        },
        "interpolated": arrow.array([row.interpolated for row in rows], arrow.bool_()),
    }
    about = {
        "video_name": content.name, "video_width": str(content.width), "video_height": str(content.height),
        "video_rate": str(content.rate), "total_frames": str(content.frames),
    }  # fmt: skip
    parquet.write_table(arrow.table(columns).replace_schema_metadata(about), target, compression="zstd")
