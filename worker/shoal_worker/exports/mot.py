"""MOTChallenge: a zip as CVAT imports it ("MOT 1.1") and as trackeval reads a sequence.

``gt/gt.txt``: frame, id, left, top, width, height, 1, class, visibility; ``gt/labels.txt``: a class name a
line; ``det/<stem>.txt``: the same boxes with their scores, as a tracker's result; ``seqinfo.ini``. Source:
Dendorfer et al., "MOTChallenge: A Benchmark for Single-Camera Multiple Target Tracking" (2021), section 3.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterable
from pathlib import Path

from shoal_worker.exports.content import ExportContent, Row

_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest time a zip can hold: the same archive gives the same bytes."""


def write_mot(content: ExportContent, target: Path) -> None:
    """Write the zip."""
    with zipfile.ZipFile(target, "w") as archive:
        _add(archive, "gt/gt.txt", (_truth(content, row) for row in content.rows))
        _add(archive, "gt/labels.txt", (f"{label}\n" for label in content.labels))
        _add(archive, f"det/{content.stem}.txt", map(_result, content.rows))
        _add(archive, "seqinfo.ini", [_sequence(content)])


def _truth(content: ExportContent, row: Row) -> str:
    return f"{row.frame},{row.track},{_place(row)},1,{content.class_id(row.label)},1.0\n"


def _result(row: Row) -> str:
    return f"{row.frame},{row.track},{_place(row)},{row.score:.4f},-1,-1,-1\n"


def _place(row: Row) -> str:
    return f"{row.left:.2f},{row.top:.2f},{row.width:.2f},{row.height:.2f}"


def _sequence(content: ExportContent) -> str:
    return (
        f"[Sequence]\nname={content.stem}\nimDir=img1\nframeRate={float(content.rate):g}\n"
        f"seqLength={content.frames}\nimWidth={content.width}\nimHeight={content.height}\nimExt=.jpg\n"
    )


def _add(archive: zipfile.ZipFile, name: str, lines: Iterable[str]) -> None:
    entry = zipfile.ZipInfo(name, _EPOCH)
    entry.compress_type = zipfile.ZIP_DEFLATED
    with archive.open(entry, "w") as stream:
        for line in lines:
            stream.write(line.encode())
