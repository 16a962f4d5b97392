"""``<stem>.tracks.tar.gz``: what deepsea-ai's consumers read and what MBARI's newer loader reads, in one
file.

Members, streamed in this order: ``processingjobconfig.json``, ``tracks/<stem>.txt``, one ``f%06d.json`` per
frame with detections, ``<stem>.mp4`` if there is one, ``detections.npz`` (every detection, tracked or not,
for ``shoal retrack``; see ``detectionlog``), then the folder named as the archive without ``.tar.gz`` with
``detections.csv``, the same rows as ``detections.json``, ``tracks.csv`` and ``metadata.json``, and at last
``receipt.json`` where one is wanted. The same content gives the same bytes, but for the receipt.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import os
import tarfile
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

from shoal_worker.archivecontent import ArchiveContent, Provenance
from shoal_worker.archivereader import SAME_ROWS
from shoal_worker.archivetext import (
    detection_objects,
    detection_rows,
    frame_files,
    job_config,
    metadata,
    mot_rows,
    receipt_text,
    track_rows,
)
from shoal_worker.detectionlog import MEMBER

__all__ = ["SUFFIX", "ArchiveContent", "Provenance", "archive_name", "write_archive"]

SUFFIX = ".tar.gz"
RECEIPT = "receipt.json"
TIME = 0
"""The time stamp of every member: results of the same video compare equal."""


def archive_name(video: Path) -> str:
    """``dive.mp4`` -> ``dive.tracks.tar.gz``."""
    return f"{video.stem}.tracks{SUFFIX}"


def write_archive(target: Path, content: ArchiveContent, *, film: Path | None = None) -> None:
    """Write the archive beside ``target`` and move it there when it is whole; an empty table gives an archive
    too."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with _replacing(target) as stream, _tar(stream) as archive:
        stem = Path(content.video.name).stem
        folder = target.name.removesuffix(SUFFIX)
        _add_bytes(archive, "processingjobconfig.json", job_config(content).encode())
        _add_lines(archive, f"tracks/{stem}.txt", mot_rows(content))
        for name, text in frame_files(content):
            _add_bytes(archive, name, text.encode())
        if film is not None:
            _add_file(archive, f"{stem}.mp4", film)
        log = content.log.stream()
        _add(archive, MEMBER, log.getbuffer().nbytes, log)
        log.close()
        _add_lines(archive, f"{folder}/detections.csv", detection_rows(content))
        _add_lines(archive, f"{folder}/{SAME_ROWS}", detection_objects(content))
        _add_lines(archive, f"{folder}/tracks.csv", track_rows(content))
        _add_bytes(archive, f"{folder}/metadata.json", metadata(content).encode())
        if (receipt := receipt_text(content)) is not None:
            _add_bytes(archive, f"{folder}/{RECEIPT}", receipt.encode())


@contextlib.contextmanager
def _replacing(target: Path) -> Iterator[IO[bytes]]:
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        Path(name).chmod(0o644)
        Path(name).replace(target)
    finally:
        Path(name).unlink(missing_ok=True)


@contextlib.contextmanager
def _tar(stream: IO[bytes]) -> Iterator[tarfile.TarFile]:
    packed = gzip.GzipFile(filename="", mode="wb", fileobj=stream, mtime=TIME, compresslevel=6)
    with packed, tarfile.open(fileobj=packed, mode="w|", format=tarfile.PAX_FORMAT) as archive:
        yield archive


def _add_lines(archive: tarfile.TarFile, name: str, lines: Iterable[str]) -> None:
    # A member's size stands before its content: a long text waits in memory, packed to a tenth.
    packed = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=1, mtime=TIME) as stream,
        io.TextIOWrapper(io.BufferedWriter(stream), encoding="utf-8", newline="\n") as writer,
    ):
        writer.writelines(lines)
        writer.flush()
        size = stream.tell()
    packed.seek(0)
    with gzip.GzipFile(fileobj=packed, mode="rb") as text:
        _add(archive, name, size, text)


def _add_bytes(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    _add(archive, name, len(content), io.BytesIO(content))


def _add_file(archive: tarfile.TarFile, name: str, path: Path) -> None:
    with path.open("rb") as stream:
        _add(archive, name, path.stat().st_size, stream)


def _add(archive: tarfile.TarFile, name: str, size: int, content: IO[bytes] | gzip.GzipFile) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mtime, member.mode = size, TIME, 0o644
    archive.addfile(member, content)
    # It lists what it wrote, to be read again: a file for each frame is half a kilobyte more.
    archive.getmembers().clear()
