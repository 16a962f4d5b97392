"""An online tracker after ByteTrack (Zhang et al. 2022, arXiv 2110.06864), written from the paper.

High-scored detections are associated first, with tracks and lost tracks; low-scored ones then rescue tracks
that found nothing; what is left starts tentative tracks. All of a frame is arithmetic on arrays: no object
per track.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from shoal_worker import kalman
from shoal_worker.association import assign, overlapping
from shoal_worker.frames import Booleans, Detections, Floats, Integers, Tracked

LOW_SCORE_IOU = 0.5
TENTATIVE_SIMILARITY = 0.3


@dataclass(frozen=True, slots=True)
class TrackerParameters:
    """The tracker's knobs; scores and similarities are in 0..1.

    Detections from ``track_high`` up are associated first, those from ``track_low`` up second, and those from
    ``new_track`` up may start a track. A pair counts from ``match_similarity`` up, which is the intersection
    over union, times the score where ``fuse_score``. A track is kept for ``lost_seconds`` without a
    detection, and confirmed in its ``minimum_hits``-th consecutive frame; tracks of fewer than
    ``minimum_frames`` are dropped. ``camera_motion`` asks the pipeline to measure how the camera moved.

    The offline pass links tracklets over at most ``link_seconds``, fills gaps of at most ``fill_seconds``
    (half of it where the camera's motion was not measured), and drops tracks seen for less than
    ``minimum_seconds``.
    """

    track_high: float = 0.25
    track_low: float = 0.1
    new_track: float = 0.25
    match_similarity: float = 0.2
    fuse_score: bool = True
    lost_seconds: float = 2.0
    minimum_hits: int = 2
    minimum_frames: int = 1
    camera_motion: bool = False
    link_seconds: float = 2.0
    fill_seconds: float = 2.0
    minimum_seconds: float = 0.2


class Tracker:
    """Follows objects from frame to frame. Ids count from 1 in every instance, in order of confirmation."""

    def __init__(self, parameters: TrackerParameters, fps: float) -> None:
        self.parameters = parameters
        self._patience = max(1, round(parameters.lost_seconds * fps))
        self._frame = 0
        self._next_serial, self._next_id = 1, 1
        self._state: Floats = np.zeros((5, 0, 4))
        self._serials: Integers = np.zeros(0, np.int64)
        self._ids: Integers = np.zeros(0, np.int64)
        self._hits: Integers = np.zeros(0, np.int64)
        self._last: Integers = np.zeros(0, np.int64)

    def update(self, found: Detections, motion: Floats | None = None) -> Tracked:
        """Take the next frame's detections; ``motion`` (2, 3) is the camera's from the last frame to this.

        Answers those detections that belong to a track, tentative ones (id 0) among them.
        """
        self._frame += 1
        lost = self._last < self._frame - 1
        kalman.predict(self._state, lost)
        if motion is not None:
            kalman.warp(self._state, motion)
        owner = self._associate(found, lost)
        self._correct(found, owner)
        self._confirm()
        self._begin(found, owner)
        answer = self._answer(found, owner)
        self._forget()
        return answer

    def _associate(self, found: Detections, lost: Booleans) -> Integers:
        """For every detection the row of its track, or -1."""
        owner = np.full(len(found), -1, np.int64)
        free = np.ones(len(self._ids), np.bool_)
        high = found.scores >= self.parameters.track_high
        low = (found.scores >= self.parameters.track_low) & ~high
        confirmed = self._ids > 0
        fuse, similarity = self.parameters.fuse_score, self.parameters.match_similarity
        self._match(found, owner, free, confirmed, high, similarity, fuse=fuse)
        self._match(found, owner, free, confirmed & ~lost, low, LOW_SCORE_IOU, fuse=False)
        self._match(
            found, owner, free, ~confirmed, high, TENTATIVE_SIMILARITY if fuse else similarity, fuse=fuse
        )
        return owner

    def _match(
        self, found: Detections, owner: Integers, free: Booleans, tracks: Booleans, wanted: Booleans,
        threshold: float, *, fuse: bool,
    ) -> None:  # fmt: skip
        rows, columns = np.flatnonzero(tracks & free), np.flatnonzero(wanted & (owner < 0))
        if not len(rows) or not len(columns):
            return
        pairs = overlapping(kalman.to_corners(self._state[:, rows]), found.boxes[columns])
        if fuse:
            pairs = pairs.scaled(found.scores[columns])
        matched = assign(pairs.above(threshold))
        owner[columns[matched.second]] = rows[matched.first]
        free[rows[matched.first]] = False

    def _correct(self, found: Detections, owner: Integers) -> None:
        columns = np.flatnonzero(owner >= 0)
        rows = owner[columns]
        kalman.correct(self._state, rows, found.boxes[columns])
        self._hits[rows] += 1
        self._last[rows] = self._frame

    def _confirm(self) -> None:
        ready = np.flatnonzero((self._ids == 0) & (self._hits >= self.parameters.minimum_hits))
        self._ids[ready] = np.arange(self._next_id, self._next_id + len(ready))
        self._next_id += len(ready)

    def _begin(self, found: Detections, owner: Integers) -> None:
        wanted = (owner < 0) & (found.scores >= max(self.parameters.new_track, self.parameters.track_high))
        columns = np.flatnonzero(wanted)
        count, old = len(columns), len(self._ids)
        if not count:
            return
        owner[columns] = np.arange(old, old + count)
        self._state = np.concatenate([self._state, kalman.start(found.boxes[columns])], axis=1)
        serials = np.arange(self._next_serial, self._next_serial + count)
        self._serials = np.concatenate([self._serials, serials])
        self._next_serial += count
        self._ids = np.concatenate([self._ids, np.zeros(count, np.int64)])
        self._hits = np.concatenate([self._hits, np.ones(count, np.int64)])
        self._last = np.concatenate([self._last, np.full(count, self._frame)])
        self._confirm()

    def _answer(self, found: Detections, owner: Integers) -> Tracked:
        columns = np.flatnonzero(owner >= 0)
        rows = owner[columns]
        return Tracked(self._serials[rows], self._ids[rows], found.keep(columns), columns)

    def _forget(self) -> None:
        age = self._frame - self._last
        keep = np.where(self._ids > 0, age <= self._patience, age == 0)
        if keep.all():
            return
        self._state, self._serials, self._ids = self._state[:, keep], self._serials[keep], self._ids[keep]
        self._hits, self._last = self._hits[keep], self._last[keep]
