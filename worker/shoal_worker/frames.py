"""The values that travel through the engine: a frame's detections, its tracked objects, a whole video's
table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]
Integers = npt.NDArray[np.signedinteger[Any]]
Booleans = npt.NDArray[np.bool_]
Image = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Detections:
    """What a detector sees in one frame.

    ``boxes`` (n, 4) float32, left top right bottom in pixels of the frame; ``scores`` (n,) float32 in 0..1;
    ``classes`` (n,) int64, an index into the detector's ``names``. ``features`` (n, d) float16, only where
    appearance is on: what each looks like, as unit vectors; a row of zeros was not looked at.
    """

    boxes: Floats
    scores: Floats
    classes: Integers
    features: Floats | None = None

    def __len__(self) -> int:
        return len(self.scores)

    def keep(self, chosen: Booleans | Integers) -> Detections:
        """The rows that a mask or a list of indices chooses."""
        features = None if self.features is None else self.features[chosen]
        return Detections(self.boxes[chosen], self.scores[chosen], self.classes[chosen], features)

    @classmethod
    def empty(cls) -> Detections:
        """No detection."""
        return cls(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int64))

    @classmethod
    def joined(cls, parts: Sequence[Detections]) -> Detections:
        """One after the other."""
        if not parts:
            return cls.empty()
        return cls(
            np.concatenate([part.boxes for part in parts]),
            np.concatenate([part.scores for part in parts]),
            np.concatenate([part.classes for part in parts]),
            _joined([part.features for part in parts if len(part)]),
        )


def _joined(features: Sequence[Floats | None]) -> Floats | None:
    """One behind the other; None where one of them is not known."""
    known = [part for part in features if part is not None]
    return np.concatenate(known) if known and len(known) == len(features) else None


@dataclass(frozen=True, slots=True)
class PackedDetections:
    """The detections of every frame of a video, one frame behind the other: a frame is a view, not a copy.

    ``found`` has the n of all frames; ``ends`` (frames,) is where each frame's end in it.
    """

    found: Detections
    ends: Integers

    def __len__(self) -> int:
        return len(self.ends)

    def __getitem__(self, frame: int) -> Detections:
        """What was seen in a frame, counted from 0."""
        rows, found = self.rows(frame), self.found
        features = None if found.features is None else found.features[rows]
        return Detections(found.boxes[rows], found.scores[rows], found.classes[rows], features)

    def rows(self, frame: int) -> slice:
        """Where a frame's detections stand, counted from 0."""
        return slice(int(self.ends[frame - 1]) if frame else 0, int(self.ends[frame]))

    @property
    def frames(self) -> Integers:
        """The frame (n,) of each detection, counted from 0."""
        return np.repeat(np.arange(len(self.ends), dtype=np.int32), np.diff(self.ends, prepend=0))

    @classmethod
    def of(cls, seen: Sequence[Detections]) -> PackedDetections:
        """The frames of a list."""
        return cls(Detections.joined(seen), np.cumsum([len(found) for found in seen], dtype=np.int64))


@dataclass(frozen=True, slots=True)
class Tracked:
    """The detections of one frame that belong to a track.

    ``serials`` (n,) number every candidate track; ``ids`` (n,) count from 1 and are 0 while the track is
    tentative. ``detections`` holds the n scores and classes as they were detected, and the boxes as the
    tracker sees them; ``columns`` (n,) says which of the frame's detections these are.
    """

    serials: Integers
    ids: Integers
    detections: Detections
    columns: Integers

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def confirmed(self) -> Tracked:
        """Only the rows of confirmed tracks."""
        chosen = self.ids > 0
        found = self.detections.keep(chosen)
        return Tracked(self.serials[chosen], self.ids[chosen], found, self.columns[chosen])


@dataclass(frozen=True, slots=True)
class TrackTable:
    """Every tracked box of a video, in order of frame, then id; all columns have the same length n.

    ``frames`` (n,) from 1 in decode order, ``ids`` (n,) from 1, ``detections`` the boxes, scores and classes.
    ``gaps`` (n,) is 0 where the box was detected; where it was interpolated, the number of frames in a row
    that the track went unseen, and the score is 0.
    """

    frames: Integers
    ids: Integers
    detections: Detections
    gaps: Integers

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def interpolated(self) -> Booleans:
        """The rows (n,) that no detector saw."""
        return self.gaps > 0

    def keep(self, chosen: Booleans | Integers) -> TrackTable:
        """The rows that a mask or a list of indices chooses."""
        return TrackTable(
            self.frames[chosen], self.ids[chosen], self.detections.keep(chosen), self.gaps[chosen]
        )

    @classmethod
    def detected(cls, frames: Integers, ids: Integers, detections: Detections) -> TrackTable:
        """A table without interpolated rows."""
        return cls(frames, ids, detections, np.zeros(len(ids), np.int64))

    @classmethod
    def empty(cls) -> TrackTable:
        """No track at all."""
        return cls.detected(np.zeros(0, np.int64), np.zeros(0, np.int64), Detections.empty())


@dataclass(frozen=True, slots=True)
class TrackSummary:
    """One track: its label by vote, the frames it spans, in how many it was detected, its mean score over
    these, and in how many more its box was interpolated."""

    id: int
    label: str
    first_frame: int
    last_frame: int
    frame_count: int
    average_score: float
    interpolated_count: int = 0
