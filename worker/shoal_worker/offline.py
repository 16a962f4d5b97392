"""The offline pass: what a complete file allows and a live tracker cannot do.

The video is associated forward and backward, and the two are fused, which gives every track the frames
before its birth; tracklets are linked along the camera's path; gaps are filled where that is safe.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from shoal_worker.camerapath import CameraPath, camera_path, reversed_camera
from shoal_worker.frames import Booleans, Detections, Floats, Integers, TrackTable
from shoal_worker.fusion import fuse, numbered
from shoal_worker.interpolation import Filled, Gaps, between, confirmed_by, fill, gaps_of, supported
from shoal_worker.linking import LinkLimits, Seen, disagreement, ends_of, link
from shoal_worker.tracker import Tracker, TrackerParameters

SIDES = 5
"""Detections that a track needs on both sides of a gap that is filled."""
CONFIRMS = 0.5
"""The overlap from which a spare detection stands for an invented box."""
ASTRAY = 1.0
"""How many sizes the motions on both sides of a gap may disagree when it is filled."""

TRUSTED = 0.5
"""Seconds for which a velocity is believed."""
WINDOW = 0.5
"""Seconds of a track that its velocity at an end is measured over."""
UNMEASURED = 0.5
"""The share of ``fill_seconds`` that may be filled where nobody measured the camera's motion."""


def track_offline(
    seen: Sequence[Detections],
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
    video = _Video(seen, camera, fps, size)
    forward = _associated(seen, camera, parameters, fps)
    backward = _associated(seen[::-1], reversed_camera(camera), parameters, fps).reversed()
    labels = fuse(video.frames, forward.labels, backward.labels)
    video.place(_settled(video.found, forward, backward))
    labels = video.linked(labels, parameters.link_seconds)
    labels = _long_enough(labels, max(parameters.minimum_frames, video.span(parameters.minimum_seconds)))
    measured = any(motion is not None for motion in camera)
    return video.table(labels, parameters.fill_seconds * (1.0 if measured else UNMEASURED))


@dataclass(frozen=True, slots=True)
class _Associated:
    """Of every frame's detections the track's serial (n,) or 0 and the tracker's box (n, 4), and the serials
    that were confirmed."""

    serials: list[Integers]
    boxes: list[Floats]
    confirmed: Integers

    def reversed(self) -> _Associated:
        """The same in the other order of frames."""
        return _Associated(self.serials[::-1], self.boxes[::-1], self.confirmed)

    @property
    def labels(self) -> Integers:
        """For every detection of the video, frame after frame, its confirmed track or 0."""
        flat = np.concatenate([*self.serials, np.zeros(0, np.int64)])
        return np.where(np.isin(flat, self.confirmed), flat, 0)


def _associated(
    seen: Sequence[Detections], camera: Sequence[Floats | None], parameters: TrackerParameters, fps: float
) -> _Associated:
    tracker = Tracker(parameters, fps)
    serials, boxes, confirmed = [], [], [np.zeros(0, np.int64)]
    for found, motion in zip(seen, camera, strict=True):
        tracked = tracker.update(found, motion)
        mine, places = np.zeros(len(found), np.int64), found.boxes.copy()
        mine[tracked.columns], places[tracked.columns] = tracked.serials, tracked.detections.boxes
        serials.append(mine)
        boxes.append(places)
        confirmed.append(tracked.serials[tracked.ids > 0])
    return _Associated(serials, boxes, np.concatenate(confirmed))


def _settled(found: Detections, forward: _Associated, backward: _Associated) -> Floats:
    """Every detection's box (n, 4): the mean of what the filter made of it in the two directions of time, so
    that the lag of the one takes out the other's; only of one where the other has it in no track."""
    if not len(found):
        return found.boxes
    weights = np.stack([part.labels > 0 for part in (forward, backward)]).astype(np.float32)
    boxes = np.stack([np.concatenate(part.boxes) for part in (forward, backward)])
    total = weights.sum(axis=0)[:, None]
    mean = (weights[:, :, None] * boxes).sum(axis=0) / np.maximum(total, 1)
    return np.where(total > 0, mean, found.boxes).astype(np.float32)


def _long_enough(labels: Integers, least: int) -> Integers:
    return numbered(np.where(np.bincount(labels)[labels] >= least, labels, 0)) if len(labels) else labels


class _Video:
    """All detections of a video as flat arrays, in pixels and in the mosaic; frames count from 0 here."""

    def __init__(
        self,
        seen: Sequence[Detections],
        camera: Sequence[Floats | None],
        fps: float,
        size: tuple[int, int],
    ) -> None:
        self.found, self.fps, self.size = Detections.joined(seen), fps, size
        self.frames: Integers = np.repeat(np.arange(len(seen)), [len(part) for part in seen])
        self.path: CameraPath = camera_path(camera)
        self.place(self.found.boxes)

    def place(self, places: Floats) -> None:
        """Puts the detections at these boxes (n, 4)."""
        self.found = Detections(places, self.found.scores, self.found.classes)
        boxes = places.astype(np.float64)
        self.centres = self.path.place(self.frames, (boxes[:, :2] + boxes[:, 2:]) / 2)
        self.sizes = (boxes[:, 2:] - boxes[:, :2]) * self.path.scales[self.frames, None]

    def span(self, seconds: float) -> int:
        """Seconds as frames, at least one."""
        return max(1, round(seconds * self.fps))

    def linked(self, labels: Integers, seconds: float) -> Integers:
        """The labels after linking over gaps of up to so many seconds."""
        rows = np.flatnonzero(labels)
        if not seconds or not len(rows):
            return labels
        limits = LinkLimits(self.span(seconds), self.span(TRUSTED), self.span(WINDOW))
        seen = Seen(self.frames[rows], labels[rows], self.centres[rows], self.sizes[rows])
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
        ids = np.concatenate([labels[labels > 0], track[certain.first], track[invented]])
        frames = np.concatenate([self.frames[rows], filled.frames[invented]]) + 1
        classes = self.found.classes[gaps.before[filled.gap]][invented]
        empty = Detections(boxes[invented].astype(np.float32), np.zeros(len(classes), np.float32), classes)
        lengths = np.concatenate([np.zeros(len(rows), np.int64), gaps.lengths[filled.gap][invented]])
        table = TrackTable(frames, ids, Detections.joined([self.found.keep(rows), empty]), lengths)
        return table.keep(np.lexsort((ids, frames)))

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
        rows = np.flatnonzero(labels)
        every = gaps_of(self.frames, labels)
        begins = np.zeros(len(labels), np.bool_)
        begins[every.after] = True
        order = rows[np.argsort(labels[rows], kind="stable")]
        fresh = begins[order] | (np.diff(labels[order], prepend=0) != 0)
        runs = np.zeros(len(labels), np.int64)
        runs[order] = np.cumsum(fresh)
        seen = Seen(self.frames[rows], runs[rows], self.centres[rows], self.sizes[rows])
        starts, stops = ends_of(seen, self.span(WINDOW))
        before, after = stops.keep(runs[gaps.before] - 1), starts.keep(runs[gaps.after] - 1)
        # A long straight path may be believed for longer, if that is what makes the two sides meet.
        astray = [disagreement(before, after, frames) for frames in (self.span(TRUSTED), len(self.frames))]
        return np.asarray(np.minimum(*astray) <= ASTRAY, np.bool_)

    def _boxes(self, gaps: Gaps, filled: Filled) -> Floats:
        """The filled boxes (n, 4) in pixels: a straight line in the mosaic, seen by each frame's camera."""
        centres = self.path.see(filled.frames, between(self.centres, gaps, filled))
        half = between(self.sizes, gaps, filled) / self.path.scales[filled.frames, None] / 2
        return np.concatenate([centres - half, centres + half], axis=1)
