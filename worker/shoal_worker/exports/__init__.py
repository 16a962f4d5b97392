"""A tracks archive in the forms that other tools open: MOTChallenge, COCO, CVAT, Parquet, a contact sheet."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from shoal_worker.errors import ExportError
from shoal_worker.exports.coco import write_coco
from shoal_worker.exports.content import ExportContent, read_content
from shoal_worker.exports.cvat import write_cvat
from shoal_worker.exports.mot import write_mot
from shoal_worker.exports.parquet import write_parquet

__all__ = ["FORMATS", "ExportContent", "ExportError", "export_archive", "read_content"]

FORMATS: dict[str, tuple[str, Callable[[ExportContent, Path], None]]] = {
    "mot": (".mot.zip", write_mot),
    "coco": (".coco.json", write_coco),
    "cvat": (".cvat.xml", write_cvat),
    "parquet": (".parquet", write_parquet),
}
"""By name: what is put behind the video's stem, and who writes it."""


def export_archive(archive: Path, kind: str, folder: Path) -> Path:
    """Write an archive in another form into ``folder``; the file's path.

    Raises:
        ArchiveError: the archive cannot be read.
        ExportError: no such form, or what it needs is not installed.
    """
    if kind not in FORMATS:
        raise ExportError(f"there is no format {kind}: use one of {', '.join(FORMATS)}")
    content = read_content(archive)
    suffix, write = FORMATS[kind]
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{content.stem}{suffix}"
    part = target.with_name(f".{target.name}.part")
    try:
        write(content, part)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    return target
