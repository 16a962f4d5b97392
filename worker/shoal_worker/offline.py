"""The offline pass: what a complete file allows and a live tracker cannot do.

The video is associated forward and backward, and the two are fused, which gives every track the frames
before its birth; tracklets are linked along the camera's path; gaps are filled where that is safe.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from shoal_worker.appearance import tracker_for
from shoal_worker.camerapath import CameraPath, camera_path, reversed_camera
from shoal_worker.frames import Booleans, Detections, Floats, Integers, PackedDetections, TrackTable
from shoal_worker.fusion import fuse, numbered
from shoal_worker.interpolation import Filled, Gaps, between, confirmed_by, fill, gaps_of, supported
from shoal_worker.linking import LinkLimits, Seen, disagreement, ends_of, link
from shoal_worker.tracker import TrackerParameters

SIDES = 5
"""Detections that a track needs on both sides of a gap that is filled."""
CONFIRMS = 0.5
"""The overlap from which a spare detection stands for an invented box."""
ASTRAY = 1.0
"""How many sizes the motions on both sides of a gap may disagree when it is filled."""

_ROWS_AT_ONCE = 4096

TRUSTED = 0.5
"""Seconds for which a velocity is believed."""
WINDOW = 0.5
"""Seconds of a track that its velocity at an end is measured over."""
UNMEASURED = 0.5
"""The share of ``fill_seconds`` that may be filled where nobody measured the camera's motion."""


def track_offline(
    seen: Sequence[Detections] | PackedDetections,
    camera: Sequence[Floats | None],
    parameters: TrackerParameters,
    fps: float,
    size: tuple[int, int],
) -> TrackTable:
    """Associate a whole video.

    Args:
        seen: the detections of every frame, in order.
        camera: for every frame, the affine (2, 3) from the last frame's pixels to this one's; None where it
            is not known.
        parameters: the tracker's.
        fps: frames per second, which turns spans of seconds into frames.
        size: the picture's (width, height).

    Returns:
        The table; boxes that no detector saw have ``gaps`` > 0.
    """
    packed = seen if isinstance(seen, PackedDetections) else PackedDetections.of(seen)
    forward = _associated(packed, camera, parameters, fps)
    backward = _associated(packed, reversed_camera(camera), parameters, fps, backward=True)
    labels = fuse(packed.frames, forward.labels, backward.labels)
    settled = _settled(packed.found, forward, backward)
    del forward, backward
    video = _Video(packed, settled, camera, fps, size)
    labels = video.linked(labels, parameters.link_seconds)
    labels = _long_enough(labels, max(parameters.minimum_frames, video.span(parameters.minimum_seconds)))
    measured = any(motion is not None for motion in camera)
    return video.table(labels, parameters.fill_seconds * (1.0 if measured else UNMEASURED))


@dataclass(frozen=True, slots=True)
class _Associated:
    """For every detection of the video, frame after frame in true order, its confirmed track's serial (n,) or
    0, and the tracker's box (n, 4)."""

    labels: Integers
    boxes: Floats


def _associated(
    seen: PackedDetections,
    camera: Sequence[Floats | None],
    parameters: TrackerParameters,
    fps: float,
    *,
    backward: bool = False,
) -> _Associated:
    """One pass over the video; ``camera`` is in the order in which the frames are taken."""
    tracker, order = tracker_for(parameters, fps), range(len(seen))
    serials, boxes, confirmed = np.zeros(len(seen.found), np.int32), seen.found.boxes.copy(), {0}
    for frame, motion in zip(reversed(order) if backward else order, camera, strict=True):
        tracked, rows = tracker.update(seen[frame], motion), seen.rows(frame)
        serials[rows][tracked.columns] = tracked.serials
        boxes[rows][tracked.columns] = tracked.detections.boxes
        confirmed.update(tracked.serials[tracked.ids > 0].tolist())
    known = np.zeros(max(int(serials.max(initial=0)), *confirmed) + 1, np.bool_)
    known[list(confirmed)] = True
    return _Associated(np.where(known[serials], serials, np.int32(0)), boxes)


def _settled(found: Detections, forward: _Associated, backward: _Associated) -> Floats:
    """Every detection's box (n, 4): the mean of what the filter made of it in the two directions of time, so
    that the lag of the one takes out the other's; only of one where the other has it in no track."""
    answer = found.boxes.astype(np.float32)
    for start in range(0, len(found), _ROWS_AT_ONCE):
        rows, both = slice(start, start + _ROWS_AT_ONCE), (forward, backward)
        weights = np.stack([part.labels[rows] > 0 for part in both]).astype(np.float32)
        total = weights.sum(axis=0)[:, None]
        summed = (weights[:, :, None] * np.stack([part.boxes[rows] for part in both])).sum(axis=0)
        answer[rows] = np.where(total > 0, summed / np.maximum(total, 1), answer[rows])
    return answer


def _long_enough(labels: Integers, least: int) -> Integers:
    return numbered(np.where(np.bincount(labels)[labels] >= least, labels, 0)) if len(labels) else labels


def _merged(found: Detections, rows: Integers, new: Detections, order: Integers) -> Detections:
    """The rows of ``found``, then ``new``, in another order; column by column, to hold little twice."""
    columns = ((found.boxes, new.boxes), (found.scores, new.scores), (found.classes, new.classes))
    return Detections(*(np.concatenate([old[rows], added])[order] for old, added in columns))


class _Video:
    """All detections of a video as flat arrays, put at the boxes ``places`` (n, 4), in pixels and in the
    mosaic; frames count from 0 here."""

    def __init__(
        self,
        seen: PackedDetections,
        places: Floats,
        camera: Sequence[Floats | None],
        fps: float,
        size: tuple[int, int],
    ) -> None:
        self.found, self.fps, self.size = Detections(places, seen.found.scores, seen.found.classes), fps, size
        self.frames: Integers = seen.frames
        self.path: CameraPath = camera_path(camera)

    def centres(self, rows: Integers) -> Floats:
        """The centres (k, 2) of the detections ``rows`` in the mosaic; for all of them they would weigh as
        much as the log."""
        boxes = self.found.boxes[rows]
        middle = boxes[:, :2].astype(np.float64)
        middle += boxes[:, 2:]
        middle /= 2
        return self.path.place(self.frames[rows], middle)

    def sizes(self, rows: Integers) -> Floats:
        """Their widths and heights (k, 2) in the mosaic."""
        boxes = self.found.boxes[rows]
        sizes = boxes[:, 2:].astype(np.float64)
        sizes -= boxes[:, :2]
        sizes *= self.path.scales[self.frames[rows], None]
        return sizes

    def span(self, seconds: float) -> int:
        """Seconds as frames, at least one."""
        return max(1, round(seconds * self.fps))

    def linked(self, labels: Integers, seconds: float) -> Integers:
        """The labels after linking over gaps of up to so many seconds."""
        rows = np.flatnonzero(labels)
        if not seconds or not len(rows):
            return labels
        limits = LinkLimits(self.span(seconds), self.span(TRUSTED), self.span(WINDOW))
        seen = Seen(self.frames[rows], labels[rows], self.centres(rows), self.sizes(rows))
        answer = np.zeros_like(labels)
        answer[rows] = link(seen, limits)
        return answer

    def table(self, labels: Integers, seconds: float) -> TrackTable:
        """The table of the labels, with gaps of up to so many seconds filled."""
        rows = np.flatnonzero(labels)
        gaps = self._fillable(labels, seconds)
        filled = fill(self.frames, gaps)
        boxes = self._boxes(gaps, filled)
        spare = np.flatnonzero(labels == 0)
        certain = confirmed_by(filled.frames, boxes, self.frames[spare], self.found.boxes[spare], CONFIRMS)
        invented = np.ones(len(boxes), np.bool_)
        invented[certain.first] = False
        track = labels[gaps.before[filled.gap]]
        rows = np.concatenate([rows, spare[certain.second]])
        ids = np.concatenate([labels[labels > 0], track[certain.first], track[invented]]).astype(np.int32)
        frames = np.concatenate([self.frames[rows], filled.frames[invented]]).astype(np.int32) + 1
        lengths = np.zeros(len(ids), np.int32)
        lengths[len(rows) :] = gaps.lengths[filled.gap][invented]
        classes = self.found.classes[gaps.before[filled.gap]][invented]
        new = Detections(boxes[invented].astype(np.float32), np.zeros(len(classes), np.float32), classes)
        order = np.lexsort((ids, frames))
        return TrackTable(frames[order], ids[order], _merged(self.found, rows, new, order), lengths[order])

    def _fillable(self, labels: Integers, seconds: float) -> Gaps:
        gaps = gaps_of(self.frames, labels)
        short = supported(labels, gaps, SIDES) & (gaps.lengths <= seconds * self.fps)
        gaps = gaps.keep(short)
        if len(gaps.lengths):
            gaps = gaps.keep(self._agreeing(labels, gaps))
        filled = fill(self.frames, gaps)
        boxes = self._boxes(gaps, filled)
        centres = (boxes[:, :2] + boxes[:, 2:]) / 2
        outside = ((centres < 0) | (centres > self.size)).any(axis=1)
        return gaps.keep(np.bincount(filled.gap, outside, len(gaps.lengths)) == 0)

    def _agreeing(self, labels: Integers, gaps: Gaps) -> Booleans:
        """Whether the motions before and after each gap lead to each other."""
        runs = self._runs(labels)
        # Only the runs beside a gap are looked at, numbered anew.
        beside, ends = np.unique(runs[np.stack([gaps.before, gaps.after])], return_inverse=True)
        number = np.zeros(int(runs.max()) + 1, np.int32)
        number[beside] = np.arange(1, len(beside) + 1)
        runs = number[runs]
        rows = np.flatnonzero(runs)
        seen = Seen(self.frames[rows], runs[rows], self.centres(rows), self.sizes(rows))
        starts, stops = ends_of(seen, self.span(WINDOW))
        sides = ends.reshape(2, -1)
        before, after = stops.keep(sides[0]), starts.keep(sides[1])
        # A long straight path may be believed for longer, if that is what makes the two sides meet.
        astray = [disagreement(before, after, frames) for frames in (self.span(TRUSTED), len(self.frames))]
        return np.asarray(np.minimum(*astray) <= ASTRAY, np.bool_)

    def _runs(self, labels: Integers) -> Integers:
        """For every detection (n,) its run, a stretch of a track without a gap, from 1; 0 is none."""
        rows = np.flatnonzero(labels)
        begins = np.zeros(len(labels), np.bool_)
        begins[gaps_of(self.frames, labels).after] = True
        order = rows[np.argsort(labels[rows], kind="stable")]
        fresh = begins[order] | (np.diff(labels[order], prepend=0) != 0)
        runs = np.zeros(len(labels), np.int32)
        runs[order] = np.cumsum(fresh)
        return runs

    def _boxes(self, gaps: Gaps, filled: Filled) -> Floats:
        """The filled boxes (n, 4) in pixels: a straight line in the mosaic, seen by each frame's camera."""
        count = len(gaps.lengths)
        rows = np.concatenate([gaps.before, gaps.after])
        local = Gaps(np.arange(count), np.arange(count, 2 * count), gaps.lengths)
        centres = self.path.see(filled.frames, between(self.centres(rows), local, filled))
        half = between(self.sizes(rows), local, filled) / self.path.scales[filled.frames, None] / 2
        return np.concatenate([centres - half, centres + half], axis=1)
