"""CVAT's XML for videos, version 1.1 (docs.cvat.ai, "CVAT for video"): a track of boxes, frames from 0.

CVAT draws a track on between two boxes of it, so a box with ``outside`` ends every stretch in which the track
was there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from io import TextIOBase
from pathlib import Path
from xml.sax.saxutils import XMLGenerator
from xml.sax.xmlreader import AttributesImpl

from shoal_worker.exports.content import ExportContent, Row

Attributes = dict[str, str]


def write_cvat(content: ExportContent, target: Path) -> None:
    """Write the XML, track by track."""
    tracks: defaultdict[int, list[Row]] = defaultdict(list)
    for row in content.rows:
        tracks[row.track].append(row)
    with target.open("w", encoding="utf-8") as stream:
        xml = _Writer(stream)
        xml.open("annotations")
        xml.text("version", "1.1")
        _task(xml, content)
        for number, track in enumerate(sorted(tracks)):
            about = {"id": str(number), "label": content.voted[track], "source": "auto"}
            xml.open("track", about)
            for attributes in _boxes(tracks[track], content.frames):
                xml.empty("box", attributes)
            xml.close("track")
        xml.close("annotations")
        xml.end()


def _task(xml: _Writer, content: ExportContent) -> None:
    xml.open("meta")
    xml.open("task")
    about = {
        "name": content.name, "size": str(content.frames), "mode": "interpolation", "overlap": "0",
        "start_frame": "0", "stop_frame": str(max(0, content.frames - 1)),
    }  # fmt: skip
    for name, value in about.items():
        xml.text(name, value)
    xml.open("labels")
    for label in content.labels:
        xml.open("label")
        xml.text("name", label)
        xml.empty("attributes")
        xml.close("label")
    xml.close("labels")
    xml.open("original_size")
    xml.text("width", str(content.width))
    xml.text("height", str(content.height))
    for element in ("original_size", "task"):
        xml.close(element)
    xml.text("source", content.name)
    xml.close("meta")


def _boxes(rows: list[Row], frames: int) -> Iterator[Attributes]:
    for row, following in zip(rows, [*rows[1:], None], strict=True):
        yield _box(row, row.frame - 1, outside=False)
        gone = following is None or following.frame > row.frame + 1
        if gone and row.frame < frames:
            yield _box(row, row.frame, outside=True)


def _box(row: Row, frame: int, *, outside: bool) -> Attributes:
    return {
        "frame": str(frame), "keyframe": "0" if row.interpolated and not outside else "1",
        "outside": str(int(outside)), "occluded": str(int(row.interpolated)),
        "xtl": f"{row.left:.2f}", "ytl": f"{row.top:.2f}",
        "xbr": f"{row.right:.2f}", "ybr": f"{row.bottom:.2f}",
        "z_order": "0",
    }  # fmt: skip


class _Writer:
    """Elements on lines of their own; characters that XML does not allow become question marks."""

    def __init__(self, stream: TextIOBase) -> None:
        self._xml = XMLGenerator(stream, "utf-8", short_empty_elements=True)
        self._xml.startDocument()

    def open(self, name: str, attributes: Attributes | None = None) -> None:
        self._start(name, attributes)
        self._xml.ignorableWhitespace("\n")

    def close(self, name: str) -> None:
        self._xml.endElement(name)
        self._xml.ignorableWhitespace("\n")

    def text(self, name: str, value: str) -> None:
        self._start(name, None)
        self._xml.characters(_legal(value))
        self.close(name)

    def empty(self, name: str, attributes: Attributes | None = None) -> None:
        self._start(name, attributes)
        self.close(name)

    def _start(self, name: str, attributes: Attributes | None) -> None:
        given = {key: _legal(value) for key, value in (attributes or {}).items()}
        self._xml.startElement(name, AttributesImpl(given))

    def end(self) -> None:
        self._xml.endDocument()


def _legal(value: str) -> str:
    """XML 1.0, section 2.2: no control characters, no halves of surrogate pairs."""
    return "".join(
        letter if letter.isprintable() and letter not in "\ufffe\uffff" else "?" for letter in value
    )
