"""An online tracker after ByteTrack (Zhang et al. 2022, arXiv 2110.06864), written from the paper.

High-scored detections are associated first, with tracks and lost tracks; low-scored ones then rescue tracks
that found nothing; what is left starts tentative tracks. All of a frame is arithmetic on arrays: no object
per track.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from shoal_worker import kalman
from shoal_worker.association import Pairs, assign, overlapping
from shoal_worker.frames import Booleans, Detections, Floats, Integers, Tracked

LOW_SCORE_IOU = 0.5
TENTATIVE_SIMILARITY = 0.3
REFERENCE_RATE = 30.0
"""The frame rate that the filter's noise is given for."""

SERIAL, ID, HITS, LAST = range(4)
"""The rows of a tracker's table of tracks; ``LAST`` is the frame that a track was seen in."""


@dataclass(frozen=True, slots=True)
class TrackerParameters:
    """The tracker's knobs; scores and similarities are in 0..1.

    Detections from ``track_high`` up are associated first, those from ``track_low`` up second, and those from
    ``new_track`` up may start a track. A pair counts from ``match_similarity`` up, which is the intersection
    over union, times the score where ``fuse_score``. A track is kept for ``lost_seconds`` without a
    detection, and confirmed in its ``minimum_hits``-th consecutive frame; tracks of fewer than
    ``minimum_frames`` are dropped. ``camera_motion`` asks the pipeline to measure how the camera moved. With
    ``smooth_boxes`` a tracked box is the filter's estimate of it, without the detector's jitter.

    With ``appearance`` what objects look like counts too (``shoal_worker.appearance``): between boxes that
    overlap by ``appearance_overlap`` or more and whose vectors' cosine is at least ``appearance_similarity``.
    A track remembers its looks with the weight ``appearance_memory`` against each new one.

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
    smooth_boxes: bool = True
    appearance: bool = False
    appearance_similarity: float = 0.75
    appearance_overlap: float = 0.5
    appearance_memory: float = 0.9
    link_seconds: float = 2.0
    fill_seconds: float = 2.0
    minimum_seconds: float = 0.2


class Tracker:
    """Follows objects from frame to frame. Ids count from 1 in every instance, in order of confirmation."""

    def __init__(self, parameters: TrackerParameters, fps: float) -> None:
        self.parameters = parameters
        self._patience = max(1, round(parameters.lost_seconds * fps))
        self._pace = REFERENCE_RATE / fps
        self._frame = 0
        self._next_serial, self._next_id = 1, 1
        self._state = kalman.start(np.zeros((0, 4)))
        self._tracks: Integers = np.zeros((4, 0), np.int64)

    def update(self, found: Detections, motion: Floats | None = None) -> Tracked:
        """Take the next frame's detections; ``motion`` (2, 3) is the camera's from the last frame to this.

        Answers those detections that belong to a track, tentative ones (id 0) among them.
        """
        self._frame += 1
        lost = self._tracks[LAST] < self._frame - 1
        kalman.predict(self._state, lost, self._pace)
        if motion is not None:
            kalman.warp(self._state, motion)
        owner = self._associate(found, lost)
        self._correct(found, owner)
        self._begin(found, owner)
        self._confirm()
        answer = self._answer(found, owner)
        self._forget()
        return answer

    def _associate(self, found: Detections, lost: Booleans) -> Integers:
        """For every detection the row of its track, or -1. All boxes are compared once, and every stage
        chooses among the pairs."""
        owner = np.full(len(found), -1, np.int64)
        if not len(lost) or not len(found):
            return owner
        fuse, similarity = self.parameters.fuse_score, self.parameters.match_similarity
        pairs = overlapping(kalman.to_corners(self._state), found.boxes)
        fused = self._fused(pairs, found)
        high = found.scores >= self.parameters.track_high
        low = (found.scores >= self.parameters.track_low) & ~high
        tentative = self._tracks[ID] == 0
        confirmed = ~tentative
        _match(fused, confirmed, high, similarity, owner)
        _match(pairs, confirmed & ~lost, low, LOW_SCORE_IOU, owner)
        _match(fused, tentative, high, TENTATIVE_SIMILARITY if fuse else similarity, owner)
        return owner

    def _fused(self, pairs: Pairs, found: Detections) -> Pairs:
        """The pairs as the first association sees them."""
        return pairs.scaled(found.scores) if self.parameters.fuse_score else pairs

    def _correct(self, found: Detections, owner: Integers) -> None:
        columns = (owner >= 0).nonzero()[0]
        rows = owner[columns]
        kalman.correct(self._state, rows, found.boxes.take(columns, axis=0))
        self._tracks[HITS, rows] += 1
        self._tracks[LAST, rows] = self._frame

    def _begin(self, found: Detections, owner: Integers) -> None:
        wanted = (owner < 0) & (found.scores >= max(self.parameters.new_track, self.parameters.track_high))
        columns = wanted.nonzero()[0]
        count, old = len(columns), self._tracks.shape[1]
        if not count:
            return
        owner[columns] = np.arange(old, old + count)
        tracks = np.zeros((4, count), np.int64)
        tracks[SERIAL] = np.arange(self._next_serial, self._next_serial + count)
        tracks[HITS], tracks[LAST] = 1, self._frame
        self._next_serial += count
        self._tracks = np.concatenate([self._tracks, tracks], axis=1)
        started = kalman.start(found.boxes.take(columns, axis=0))
        self._state = np.concatenate([self._state, started], axis=2)

    def _confirm(self) -> None:
        ready = (self._tracks[ID] == 0) & (self._tracks[HITS] >= self.parameters.minimum_hits)
        rows = ready.nonzero()[0]
        if len(rows):
            self._tracks[ID, rows] = np.arange(self._next_id, self._next_id + len(rows))
            self._next_id += len(rows)

    def _answer(self, found: Detections, owner: Integers) -> Tracked:
        columns = (owner >= 0).nonzero()[0]
        rows = owner[columns]
        tracks, kept = self._tracks.take(rows, axis=1), found.keep(columns)
        if self.parameters.smooth_boxes:
            smooth = kalman.to_corners(self._state.take(rows, axis=2)).astype(np.float32)
            kept = Detections(smooth, kept.scores, kept.classes)
        return Tracked(tracks[SERIAL], tracks[ID], kept, columns)

    def _forget(self) -> None:
        patience = np.where(self._tracks[ID] > 0, self._patience, 0)
        keep = self._tracks[LAST] + patience >= self._frame
        if not keep.all():
            self._keep(keep.nonzero()[0])

    def _keep(self, rows: Integers) -> None:
        self._state, self._tracks = self._state.take(rows, axis=2), self._tracks.take(rows, axis=1)


def _match(pairs: Pairs, tracks: Booleans, wanted: Booleans, threshold: float, owner: Integers) -> None:
    """Gives the wanted detections (m,) to the tracks (n,) they are paired with above the threshold; who is
    matched leaves both masks."""
    chosen = pairs.similarity > threshold
    chosen &= tracks.take(pairs.first)
    chosen &= wanted.take(pairs.second)
    places = chosen.nonzero()[0]
    if not len(places):
        return
    matched = assign(pairs.keep(places))
    owner[matched.second] = matched.first
    tracks[matched.first] = False
    wanted[matched.second] = False
