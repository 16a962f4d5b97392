"""What a run has seen so far, kept outside the process, so that another run goes on where it was killed.

A checkpoint is a manifest and one file for each segment of frames, with the segment's detections and camera
motion. The tracker's state is not stored: it is a function of these, and is computed again, in seconds.

The fence is the fingerprint of everything that the detections depend on. It is part of each segment's name,
and two runs of one fingerprint write the same bytes: a run that was thought dead can do no harm, and a
changed model, argument or video never meets the segments of another. A tracker's configuration that needs the
same detections goes on with them.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from shoal_worker.detectionlog import DetectionLog, load_log
from shoal_worker.frames import Detections, Floats, Image

SEGMENT_FRAMES = 512
MANIFEST = "manifest.json"
Thumbnail = tuple[Image, float]


class CheckpointStore(Protocol):
    """Files by name, somewhere that outlives the process."""

    def read(self, name: str) -> bytes | None:
        """The file, or None where there is none."""

    def write(self, name: str, content: bytes) -> None:
        """Whole or not at all."""

    def remove(self, name: str) -> None:
        """A file that is not there is no error."""


@dataclass(frozen=True, slots=True)
class FolderStore:
    """Checkpoints in a folder of this machine."""

    folder: Path

    def read(self, name: str) -> bytes | None:
        """See CheckpointStore."""
        path = self.folder / name
        return path.read_bytes() if path.is_file() else None

    def write(self, name: str, content: bytes) -> None:
        """See CheckpointStore."""
        self.folder.mkdir(parents=True, exist_ok=True)
        part = self.folder / f".{name}.part"
        part.write_bytes(content)
        part.replace(self.folder / name)

    def remove(self, name: str) -> None:
        """See CheckpointStore; the folder goes with its last file."""
        (self.folder / name).unlink(missing_ok=True)
        if self.folder.is_dir() and not any(self.folder.iterdir()):
            self.folder.rmdir()


def fingerprint(parts: Mapping[str, Any]) -> str:
    """The SHA-256 of everything that a run's detections depend on, as JSON can say it."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


@dataclass(slots=True)
class Checkpoint:
    """The checkpoint of one run in a store. Open it with :func:`open_checkpoint`.

    ``restored`` frames were there already; ``processed_at`` is the first run's; ``afresh`` says why an older
    checkpoint was thrown away.
    """

    store: CheckpointStore
    fingerprint: str
    every: int
    processed_at: str
    segments: int = 0
    restored: int = 0
    thumbnail: Thumbnail | None = None
    afresh: str = ""
    _found: list[DetectionLog] = field(default_factory=list)
    _log: DetectionLog = field(default_factory=DetectionLog)

    def replay(self) -> Iterator[tuple[Detections, Floats | None]]:
        """The restored frames, in order; once."""
        for log in self._found:
            yield from log
        self._found = []

    def add(self, found: Detections, motion: Floats | None, thumbnail: Thumbnail | None) -> None:
        """The next frame; every ``every`` frames they are stored."""
        self._log.add(found, motion)
        if len(self._log) == self.every:
            self.store.write(self._segment(self.segments + 1), _packed(self._log, thumbnail))
            self.segments, self._log = self.segments + 1, DetectionLog()
            self.write_manifest()

    def write_manifest(self) -> None:
        """Say how many segments there are."""
        about = {
            "fingerprint": self.fingerprint, "segments": self.segments, "every": self.every,
            "processed_at": self.processed_at,
        }  # fmt: skip
        self.store.write(MANIFEST, json.dumps(about).encode())

    def clear(self) -> None:
        """Remove everything: the result is safe."""
        for number in range(1, self.segments + 1):
            self.store.remove(self._segment(number))
        self.store.remove(MANIFEST)

    def restore(self, segments: int) -> None:
        """Read the segments, up to the first that is missing or damaged."""
        for number in range(1, segments + 1):
            packed = self.store.read(self._segment(number))
            unpacked = None if packed is None else _unpacked(packed, self.every)
            if unpacked is None:
                break
            log, self.thumbnail = unpacked
            self._found.append(log)
            self.segments, self.restored = number, number * self.every

    def _segment(self, number: int) -> str:
        return f"{self.fingerprint[:16]}-{number:06d}.npz"


def open_checkpoint(
    store: CheckpointStore, parts: Mapping[str, Any], processed_at: str, batch: int
) -> Checkpoint:
    """Go on with what is stored, or start afresh where there is nothing, or something else.

    A segment holds whole batches of the network: a resumed run fills its batches as the first one did.
    """
    mark, every = fingerprint(parts), -(-SEGMENT_FRAMES // batch) * batch
    mine = Checkpoint(store, mark, every, processed_at)
    before = _manifest(store.read(MANIFEST))
    if before is not None and (before["fingerprint"], before["every"]) == (mark, every):
        mine.processed_at = before["processed_at"]
        mine.restore(before["segments"])
    elif before is not None:
        discard_checkpoint(store)
        mine.afresh = "the video, the model, its arguments or the code changed since the last checkpoint"
    mine.write_manifest()
    return mine


def discard_checkpoint(store: CheckpointStore) -> None:
    """Remove whatever checkpoint is stored."""
    before = _manifest(store.read(MANIFEST))
    if before is not None:
        Checkpoint(store, before["fingerprint"], before["every"], "", before["segments"]).clear()


def _manifest(content: bytes | None) -> dict[str, Any] | None:
    try:
        read = json.loads(content or b"null")
        return {
            "fingerprint": str(read["fingerprint"]), "segments": int(read["segments"]),
            "every": int(read["every"]), "processed_at": str(read["processed_at"]),
        }  # fmt: skip
    except (ValueError, TypeError, KeyError):
        return None


def _packed(log: DetectionLog, thumbnail: Thumbnail | None) -> bytes:
    stream = io.BytesIO()
    grey, factor = thumbnail or (np.zeros((0, 0), np.uint8), 1.0)
    np.savez(stream, log=np.frombuffer(log.dump(), np.uint8), thumbnail=grey, factor=np.float64(factor))
    return stream.getvalue()


def _unpacked(packed: bytes, frames: int) -> tuple[DetectionLog, Thumbnail | None] | None:
    """None where it is damaged."""
    try:
        with np.load(io.BytesIO(packed), allow_pickle=False) as arrays:
            log = load_log(io.BytesIO(arrays["log"].tobytes()))
            grey, factor = arrays["thumbnail"], float(arrays["factor"])
    except (OSError, EOFError, KeyError, ValueError, TypeError, zipfile.BadZipFile):
        return None
    if len(log) != frames:
        return None
    return log, (grey, factor) if grey.size else None
