"""The tracker's arithmetic on arrays against the same method one object at a time, and boxes that hardly
touch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment
from shoal_worker import kalman
from shoal_worker.association import intersection_over_union, overlapping
from shoal_worker.frames import Detections, Floats
from shoal_worker.tracker import LOW_SCORE_IOU, TENTATIVE_SIMILARITY, Tracker, TrackerParameters

FPS = 20


@dataclass
class _Track:
    """One object with a filter of its own."""

    serial: int
    state: Floats
    last: int
    id: int = 0
    hits: int = 1

    def forward(self, frame: int) -> None:
        kalman.predict(self.state, np.array([self.last < frame - 1]), 30 / FPS)

    def take(self, box: Floats, frame: int) -> None:
        kalman.correct(self.state, np.array([0]), box[None])
        self.hits, self.last = self.hits + 1, frame


class _ByDefinition:
    """ByteTrack with a loop for every object and a dense assignment for every stage."""

    def __init__(self, parameters: TrackerParameters) -> None:
        self.parameters, self.frame, self.serials, self.ids = parameters, 0, 0, 0
        self.tracks: list[_Track] = []

    def update(self, found: Detections) -> list[tuple[int, int, int]]:
        """Serial, id and detection of all that belong to a track, by detection."""
        self.frame += 1
        owner: dict[int, _Track] = {}
        for track in self.tracks:
            track.forward(self.frame)
        self._associate(found, owner)
        for column, track in owner.items():
            track.take(found.boxes[column], self.frame)
        self._begin(found, owner)
        for track in self.tracks:
            if not track.id and track.hits >= self.parameters.minimum_hits:
                self.ids += 1
                track.id = self.ids
        answer = [(owner[column].serial, owner[column].id, column) for column in sorted(owner)]
        patience = self.parameters.lost_seconds * FPS
        self.tracks = [t for t in self.tracks if self.frame - t.last <= (patience if t.id else 0)]
        return answer

    def _associate(self, found: Detections, owner: dict[int, _Track]) -> None:
        values = self.parameters
        high = [c for c in range(len(found)) if found.scores[c] >= np.float32(values.track_high)]
        low = [c for c in range(len(found)) if c not in high and found.scores[c] >= values.track_low]
        confirmed = [track for track in self.tracks if track.id]
        tentative = [track for track in self.tracks if not track.id]
        fresh = [track for track in confirmed if track.last == self.frame - 1]
        least = TENTATIVE_SIMILARITY if values.fuse_score else values.match_similarity
        for tracks, columns, threshold, fuse in (
            (confirmed, high, values.match_similarity, values.fuse_score),
            (fresh, low, LOW_SCORE_IOU, False),
            (tentative, high, least, values.fuse_score),
        ):
            self._match(found, owner, tracks, columns, threshold, fuse=fuse)

    def _match(
        self, found: Detections, owner: dict[int, _Track], tracks: list[_Track], columns: list[int],
        threshold: float, *, fuse: bool,
    ) -> None:  # fmt: skip
        taken = {track.serial for track in owner.values()}
        tracks = [track for track in tracks if track.serial not in taken]
        columns = [column for column in columns if column not in owner]
        gain = np.zeros((len(tracks), len(columns)))
        for row, track in enumerate(tracks):
            for place, column in enumerate(columns):
                box = kalman.to_corners(track.state)
                alike = intersection_over_union(box, found.boxes[column][None])[0]
                alike = alike * found.scores[column] if fuse else alike
                gain[row, place] = alike if alike > threshold else 0.0
        for row, place in zip(*linear_sum_assignment(gain, maximize=True), strict=True):
            if gain[row, place] > 0:
                owner[columns[place]] = tracks[row]

    def _begin(self, found: Detections, owner: dict[int, _Track]) -> None:
        least = np.float32(max(self.parameters.new_track, self.parameters.track_high))
        for column in range(len(found)):
            if column not in owner and found.scores[column] >= least:
                self.serials += 1
                track = _Track(self.serials, kalman.start(found.boxes[column][None]), self.frame)
                self.tracks.append(track)
                owner[column] = track


def _crowd(seed: int, objects: int, frames: int = 40) -> list[Detections]:
    """Objects that drift through each other; a tenth is missed, a twentieth false, a fifth faint."""
    random = np.random.default_rng(seed)
    place, speed = random.uniform(0, 300, (objects, 2)), random.normal(0, 4, (objects, 2))
    size = random.uniform(30, 90, (objects, 2))
    seen = []
    for _ in range(frames):
        place += speed
        kept = random.random(objects) > 0.1
        false = random.uniform(0, 300, (random.binomial(objects, 0.05), 2))
        centres = np.concatenate([place[kept] + random.normal(0, 2, (kept.sum(), 2)), false])
        half = np.concatenate([size[kept], np.full_like(false, 50)]) / 2
        faint = random.random(len(half)) < 0.2
        scores = np.where(faint, random.uniform(0.05, 0.25, len(half)), random.uniform(0.3, 1, len(half)))
        boxes = np.concatenate([centres - half, centres + half], axis=1).astype(np.float32)
        seen.append(Detections(boxes, scores.astype(np.float32), np.zeros(len(half), np.int64)))
    return [*seen, Detections.empty(), *seen[-3:]]


@pytest.mark.parametrize("objects", [1, 6, 25])
@pytest.mark.parametrize(
    "parameters",
    [
        TrackerParameters(lost_seconds=0.5),
        TrackerParameters(fuse_score=False, minimum_hits=3, lost_seconds=0.1),
        TrackerParameters(track_high=0.6, new_track=0.7, minimum_hits=1, lost_seconds=1),
    ],
)
def test_arithmetic_on_arrays_answers_what_a_loop_over_objects_does(parameters, objects):
    # Given a crowd, the tracker, and the method written out for one object at a time
    tracker, loop = Tracker(parameters, FPS), _ByDefinition(parameters)
    for found in _crowd(objects, objects):
        # When both take the frame
        now = tracker.update(found)
        rows = zip(now.serials.tolist(), now.ids.tolist(), now.columns.tolist(), strict=True)
        # Then every detection belongs to the same track
        assert list(rows) == loop.update(found)


@pytest.mark.parametrize(
    ("left", "pairs"), [(100 - 1e-9, 1), (100.0, 0), (100 + 1e-9, 0)], ids=["overlaps", "touches", "apart"]
)
@pytest.mark.parametrize("swapped", [False, True])
def test_boxes_that_single_precision_cannot_tell_apart_are_told_apart(left, pairs, swapped):
    # Given two boxes in a row, and one that lies far away
    first = np.array([[50.0, 0.0, 100.0, 50.0]])
    second = np.array([[left, 10.0, 150.0, 60.0], [900.0, 900.0, 950.0, 950.0]])
    # When the overlapping pairs are asked for, Then a billionth of a pixel decides
    found = overlapping(second, first) if swapped else overlapping(first, second)
    assert len(found.similarity) == pairs


def test_no_box_overlaps_none():
    none, some = np.zeros((0, 4)), np.array([[0.0, 0.0, 9.0, 9.0]])
    assert [len(overlapping(*pair).first) for pair in ((none, some), (some, none), (none, none))] == [0, 0, 0]
