"""Everything that a detector saw in a video, kept so that it can be associated again without decoding.

Stored as ``detections.npz`` inside the archive, which any NumPy reads:

| array | shape | holds |
|---|---|---|
| ``counts`` | (frames,) int32 | detections of each frame, in order |
| ``boxes`` | (n, 4) float32 | left top right bottom, pixels of the frame |
| ``scores``, ``classes`` | (n,) float32, int32 | 0..1; index into ``about.names`` |
| ``motion`` | (frames, 2, 3) float64 | the camera's affine from the frame before |
| ``features`` | (n, d) float16 | only where appearance was on: unit vectors; zeros where not looked at |
| ``about`` | (bytes,) uint8 | UTF-8 JSON: the video, the model, the arguments |

``motion`` is NaN where it is not known, and (0, 2, 3) where it was not measured.
"""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import IO, Any

import numpy as np

from shoal_worker.errors import ArchiveError
from shoal_worker.frames import Detections, Floats, PackedDetections

MEMBER = "detections.npz"
MAXIMUM_BYTES = 4 * 1024**3
MAXIMUM_DIMENSIONS = 2048
"""Numbers that say what one object looks like: four kibibytes a detection at most."""
_CHUNK = 1024
"""Frames whose arrays are joined into one: a frame's own small arrays would weigh more than what they
hold."""


@dataclass(slots=True)
class DetectionLog:
    """Grows by a frame at a time; ``about`` describes where it came from, as JSON can say it."""

    about: dict[str, Any] = field(default_factory=dict)
    _counts: list[int] = field(default_factory=list)
    _parts: list[Detections] = field(default_factory=list)
    _joined: list[Detections] = field(default_factory=list)
    _motion: list[Floats | None] = field(default_factory=list)
    measured: bool = False

    def __len__(self) -> int:
        return len(self._counts)

    @property
    def looked(self) -> bool:
        """Whether it is known what the detections look like."""
        return self._all().features is not None

    def add(self, found: Detections, motion: Floats | None = None) -> None:
        """The next frame's detections and the camera's motion since the frame before."""
        self._counts.append(len(found))
        self._parts.append(found)
        self._motion.append(motion)
        self.measured |= motion is not None
        if len(self._parts) == _CHUNK:
            self._joined.append(_compact(self._parts))
            self._parts = []

    def __iter__(self) -> Iterator[tuple[Detections, Floats | None]]:
        """Every frame again, in order."""
        packed = self.packed()
        for number, motion in enumerate(self._motion):
            yield packed[number], motion

    def packed(self) -> PackedDetections:
        """All frames so far; the arrays are the log's own."""
        return PackedDetections(self._all(), np.cumsum(self._counts, dtype=np.int64))

    @property
    def camera(self) -> Sequence[Floats | None]:
        """The camera's motion since the frame before, for every frame so far."""
        return self._motion

    def dump(self) -> bytes:
        """The file described above; the same log gives the same bytes."""
        return self.stream().getvalue()

    def stream(self) -> io.BytesIO:
        """The same, to be read from its start: a copy less of what weighs the most."""
        found, stream = self._all(), io.BytesIO()
        unknown = np.full((2, 3), np.nan)
        motion = [unknown if known is None else known for known in self._motion] if self.measured else []
        looks: dict[str, Any] = {}
        if found.features is not None:
            looks["features"] = found.features.astype(np.float16, copy=False)
        np.savez(
            stream,
            counts=np.asarray(self._counts, np.int32),
            boxes=found.boxes.astype(np.float32, copy=False),
            scores=found.scores.astype(np.float32, copy=False),
            classes=found.classes,
            motion=np.asarray(motion, np.float64).reshape(-1, 2, 3),
            about=np.frombuffer(json.dumps(self.about, ensure_ascii=False).encode(), np.uint8),
            **looks,
        )
        stream.seek(0)
        return stream

    def _all(self) -> Detections:
        if self._parts or len(self._joined) != 1:
            # One copy is kept, not two: the parts go as soon as the whole is there.
            self._joined, self._parts = [_compact([*self._joined, *self._parts])], []
        return self._joined[0]


def _compact(parts: Sequence[Detections]) -> Detections:
    """The parts joined, with a class in four bytes: 24 bytes a detection, and two for each number of what it
    looks like."""
    found = Detections.joined(parts)
    return replace(found, classes=found.classes.astype(np.int32, copy=False))


def read_detections(path: Path) -> DetectionLog:
    """The detections kept in a ``tracks.tar.gz``, or in a ``.npz`` taken out of one.

    Raises:
        ArchiveError: there are none, or not in the documented form; the message says what to do.
    """
    try:
        if path.suffix == ".npz":
            return load_log(path)
        with tarfile.open(path, "r|gz") as archive:
            for member in archive:
                if member.isfile() and PurePosixPath(member.name).name == MEMBER:
                    return load_log(_content(archive, member))
    except (OSError, EOFError, tarfile.TarError) as error:
        raise ArchiveError(f"{path.name} cannot be read ({error}): download it again") from error
    except (KeyError, ValueError, TypeError, zipfile.BadZipFile) as error:
        raise ArchiveError(
            f"the detections in {path.name} are damaged ({error!r}): track it again"
        ) from error
    raise ArchiveError(f"{path.name} holds no {MEMBER}: it is of an older worker, track the video again")


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    source = archive.extractfile(member)
    if source is None or member.size > MAXIMUM_BYTES:
        raise ArchiveError(f"{member.name} is larger than 4 GiB: this is not a tracks archive")
    return io.BytesIO(source.read())


def load_log(source: Path | IO[bytes]) -> DetectionLog:
    """What ``dump`` wrote; raises OSError, KeyError, ValueError, TypeError or BadZipFile for all else."""
    with np.load(source, allow_pickle=False) as arrays:
        looks = arrays.get("features")
        classes = arrays["classes"].astype(np.int32, copy=False)
        found = Detections(arrays["boxes"], arrays["scores"], classes, looks)
        counts, motion = arrays["counts"].tolist(), arrays["motion"]
        about = json.loads(arrays["about"].tobytes())
    if (
        not (sum(counts) == len(found) == len(found.boxes) == len(found.classes))
        or min(counts, default=0) < 0
    ):
        raise ValueError("the counts do not add up")
    if found.boxes.shape[1:] != (4,) or len(motion) not in (0, len(counts)) or motion.shape[1:] != (2, 3):
        raise ValueError("an array has another shape")
    if looks is not None and not is_features(looks, len(found)):
        raise ValueError("the features have another form")
    known: list[Floats | None] = [None if np.isnan(frame).any() else frame for frame in motion]
    return DetectionLog(about, counts, [], [found], known or [None] * len(counts), measured=bool(len(motion)))


def is_features(looks: Floats, count: int) -> bool:
    """Whether this is what ``Detections.features`` of so many detections may be."""
    fits = looks.ndim == 2 and len(looks) == count and 0 < looks.shape[1] <= MAXIMUM_DIMENSIONS
    return fits and looks.dtype == np.float16 and bool(np.isfinite(looks).all())
