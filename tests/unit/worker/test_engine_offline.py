"""The offline pass: births led back, tracklets linked along the camera's path, gaps filled and flagged."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shoal_worker.camerapath import camera_path, reversed_camera
from shoal_worker.detectionlog import DetectionLog
from shoal_worker.frames import Detections, Floats, PackedDetections, TrackTable
from shoal_worker.fusion import fuse, numbered
from shoal_worker.offline import track_offline
from shoal_worker.passes import tracking_pass
from shoal_worker.tracker import TrackerParameters

SIZE = (640, 480)
PLAIN = TrackerParameters()


def _seen(*objects: tuple[float, float, float]) -> Detections:
    """Boxes of 40 pixels around (x, y), each with a score."""
    rows = np.array(objects, np.float32).reshape(-1, 3)
    return Detections(
        np.concatenate([rows[:, :2] - 20, rows[:, :2] + 20], axis=1),
        rows[:, 2],
        np.zeros(len(rows), np.int64),
    )


def _drifting(frames: int, hidden: range, step: float = 2.0, score: float = 0.9) -> list[Detections]:
    """One object that moves ``step`` pixels a frame from x = 100, unseen in ``hidden``."""
    return [
        _seen() if number in hidden else _seen((100 + step * number, 200, score))
        for number in range(1, frames + 1)
    ]


def _tracked(
    seen: list[Detections], camera: list[Floats | None] | None = None, fps: float = 30, **changes: float
) -> TrackTable:
    parameters = replace(PLAIN, **changes)
    return track_offline(seen, camera or [None] * len(seen), parameters, fps, SIZE)


def test_an_empty_video_and_one_without_detections_have_no_tracks():
    assert len(_tracked([])) == 0
    assert len(_tracked([_seen()] * 5)) == 0


def test_a_track_is_led_back_to_before_its_birth():
    # Given an object that is faint for ten frames, too faint to start a track, and then clear
    seen = [_seen((100 + n, 100, 0.15 if n < 10 else 0.9)) for n in range(40)]
    # When it is tracked online and offline
    frames = {}
    for online in (True, False):
        tracking = tracking_pass(PLAIN, 30, SIZE, online=online)
        for found in seen:
            tracking.add(found)
        frames[online] = tracking.table().frames.tolist()
    # Then only the offline track has the faint frames, as detections
    assert frames == {True: list(range(11, 41)), False: list(range(1, 41))}
    assert not _tracked(seen).interpolated.any()


def test_what_is_only_ever_faint_stays_nobody():
    assert len(_tracked([_seen((100 + n, 100, 0.15)) for n in range(40)])) == 0


@pytest.mark.parametrize(
    ("hidden", "changes", "filled"),
    [
        (range(21, 26), {}, 5),  # short, and both sides move alike
        (range(21, 61), {}, 0),  # longer than half of two seconds, with a camera nobody measured
        (range(21, 61), {"fill_seconds": 3.0}, 40),
        (range(21, 26), {"fill_seconds": 0.0}, 0),
        (range(4, 8), {}, 0),  # three detections before the gap say too little
    ],
)
def test_a_gap_is_filled_where_that_is_safe_and_says_so(hidden, changes, filled):
    # Given an object that is unseen for some frames
    table = _tracked(_drifting(100, hidden), **changes)
    # When it is tracked, Then it is one track, whose invented boxes carry no score and the gap's length
    assert set(table.ids.tolist()) == {1}
    assert table.frames[table.interpolated].tolist() == (list(hidden) if filled else [])
    assert set(table.gaps[table.interpolated].tolist()) == ({filled} if filled else set())
    assert not table.detections.scores[table.interpolated].any()
    # And they lie where the object was
    centres = table.detections.boxes[table.interpolated, 0] + 20
    assert centres == pytest.approx([100 + 2 * n for n in hidden][: len(centres)], abs=0.05)


def test_a_gap_with_a_turn_in_it_is_not_filled():
    # Given an object that waits, vanishes, and comes back moving away from where it was, a little aside
    still = [_seen((200, 200, 0.9))] * 30
    away = [_seen((215 + 10 * n, 200, 0.9)) for n in range(30)]
    table = _tracked(still + [_seen()] * 10 + away, lost_seconds=2.0)
    # When it is tracked, Then it keeps its name, and nothing is invented
    assert set(table.ids.tolist()) == {1}
    assert not table.interpolated.any()


def test_a_path_outside_the_picture_is_not_invented():
    # Given an object on the left edge that the camera loses by turning right and finds again
    shifts = [0] * 20 + [-20] * 5 + [0] * 10 + [20] * 5 + [0] * 20
    camera = [np.array([[1.0, 0, shift], [0, 1, 0]]) for shift in shifts]
    places = 60 + np.cumsum(shifts)
    seen = [_seen((x, 200, 0.9)) if x > 20 else _seen() for x in places]
    # When it is tracked, Then it is one track without a box where it could not be seen
    table = _tracked(seen, camera)
    assert set(table.ids.tolist()) == {1}
    assert not table.interpolated.any()


def test_a_detection_that_nobody_wanted_takes_an_invented_box_s_place():
    # Given an object whose box is half covered in two frames of a gap, below what rescues a track
    seen = _drifting(60, range(30, 34))
    for number in (31, 32):
        seen[number - 1] = _seen((100 + 2 * number + 4, 200, 0.05))
    table = _tracked(seen)
    # When it is tracked, Then these two are detections, with their scores, and the others are invented
    assert table.frames[table.interpolated].tolist() == [30, 33]
    assert table.detections.scores[np.isin(table.frames, [31, 32])] == pytest.approx([0.05, 0.05])


@pytest.mark.parametrize(("measured", "tracks"), [(True, 1), (False, 2)])
def test_tracklets_are_linked_along_the_camera_s_path(measured, tracks):
    # Given a still object, unseen while the camera turns by three times its size
    shifts = [0.0] * 30 + [2.0] * 60 + [0.0] * 30
    places = 100 + np.cumsum(shifts)
    seen = [_seen() if 30 <= n < 90 else _seen((places[n], 200, 0.9)) for n in range(120)]
    camera = [np.array([[1.0, 0, shift], [0, 1, 0]]) if measured else None for shift in shifts]
    # When the gap is longer than a lost track is kept, Then the path alone tells that it is the same
    table = _tracked(seen, camera, lost_seconds=1.0, link_seconds=3.0)
    assert len(set(table.ids.tolist())) == tracks


def test_two_of_different_size_are_not_linked():
    small = [_seen((200, 200, 0.9))] * 30
    large = [Detections(found.boxes + np.array([-20, -20, 20, 20], np.float32), found.scores, found.classes)
             for found in small]  # fmt: skip
    table = _tracked(small + [_seen()] * 40 + large, lost_seconds=1.0)
    assert len(set(table.ids.tolist())) == 2


def test_a_flash_is_dropped_and_two_tenths_of_a_second_are_kept():
    flash = dict.fromkeys(range(10, 15), (400.0, 300.0, 0.9))
    seen = [_seen((100 + n, 100, 0.9), *([flash[n]] if n in flash else [])) for n in range(40)]
    assert set(_tracked(seen).ids.tolist()) == {1}
    assert set(_tracked(seen, minimum_seconds=0.1).ids.tolist()) == {1, 2}


def _crossing(random: np.random.Generator, frames: int = 40) -> list[Detections]:
    """Six objects on straight lines, with misses and false alarms."""
    start, speed = random.uniform(60, 400, (6, 2)), random.uniform(-3, 3, (6, 2))
    seen = []
    for number in range(frames):
        here = np.vstack([start + number * speed, random.uniform(50, 400, (1, 2))])
        shown = here[random.random(7) > 0.1]
        seen.append(_seen(*[(x, y, random.uniform(0.05, 1)) for x, y in shown]))
    return seen


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000))
def test_the_order_of_a_frame_s_detections_does_not_matter(seed):
    # Given a scene, and the same with every frame's detections shuffled
    random = np.random.default_rng(seed)
    seen = _crossing(random)
    shuffled = [found.keep(random.permutation(len(found))) for found in seen]
    # When both are tracked, Then the same boxes belong together
    one, other = (_tracked(frames) for frames in (seen, shuffled))
    assert _partition(one) == _partition(other)


def _partition(table: TrackTable) -> set[frozenset[tuple[float, ...]]]:
    rows = np.column_stack([table.frames, np.round(table.detections.boxes, 3)])
    return {frozenset(map(tuple, rows[table.ids == name].tolist())) for name in np.unique(table.ids)}


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000))
def test_every_frame_has_a_track_at_most_once_and_no_detection_is_changed(seed):
    seen = _crossing(np.random.default_rng(seed))
    table = _tracked(seen, smooth_boxes=False)
    assert len(np.unique(np.column_stack([table.frames, table.ids]), axis=0)) == len(table)
    known = {(n, *map(float, box)) for n, found in enumerate(seen, 1) for box in found.boxes}
    kept = table.keep(~table.interpolated)
    assert {
        (int(n), *map(float, box)) for n, box in zip(kept.frames, kept.detections.boxes, strict=True)
    } <= known


def test_both_directions_of_time_settle_a_box():
    # Given an object that stands, starts at once and jitters
    random = np.random.default_rng(2)
    truth = np.array([100.0] * 20 + [100.0 + 6 * n for n in range(40)])
    seen = [_seen((x + random.normal(0, 2), 200, 0.9)) for x in truth]

    def error(smooth: bool, online: bool) -> float:
        tracking = tracking_pass(replace(PLAIN, smooth_boxes=smooth), 30, SIZE, online=online)
        for found in seen:
            tracking.add(found)
        return float(np.sqrt(np.mean((tracking.table().detections.boxes[:, 0] + 20 - truth) ** 2)))

    # When it is tracked, Then its boxes are nearer to the truth than the detector's and the live tracker's
    settled = error(smooth=True, online=False)
    assert settled < 0.9 * error(smooth=False, online=False)
    assert settled < 0.95 * error(smooth=True, online=True)


@pytest.mark.parametrize("fps", [24.0, 30.0, 60_000 / 1001])
@pytest.mark.parametrize(("seconds", "same"), [(0.9, True), (1.9, True), (2.6, False)])
@pytest.mark.parametrize("online", [True, False])
def test_a_gap_in_seconds_means_the_same_at_every_frame_rate(fps, seconds, same, online):
    # Given an object at 30 pixels a second, filmed at different rates, unseen for some seconds
    hidden = (2.0, 2.0 + seconds)
    times = np.arange(round(7 * fps)) / fps
    tracking = tracking_pass(replace(PLAIN, link_seconds=2.0), fps, SIZE, online=online)
    for time in times:
        tracking.add(_seen() if hidden[0] <= time < hidden[1] else _seen((100 + 30 * time, 200, 0.9)))
    # When it is tracked, Then two seconds decide, whatever the rate
    assert len(set(tracking.table().ids.tolist())) == (1 if same else 2)


@pytest.mark.parametrize(
    ("forward", "backward", "fused"),
    [
        ([1, 1, 1, 1], [1, 1, 1, 1], [1, 1, 1, 1]),
        ([0, 0, 1, 1], [1, 1, 1, 1], [1, 1, 1, 1]),  # led back
        ([1, 1, 2, 2], [1, 1, 1, 1], [1, 1, 2, 2]),  # the forward tracks stand
        ([1, 1, 1, 1], [1, 1, 2, 2], [1, 1, 1, 1]),
        ([0, 0, 0, 0], [1, 1, 1, 1], [0, 0, 0, 0]),  # backward alone is nobody
        ([1, 1, 0, 0], [1, 1, 1, 1], [1, 1, 0, 0]),  # nor does it lead on
        ([0, 0, 5, 5], [0, 0, 0, 0], [0, 0, 1, 1]),
    ],
)
def test_forward_tracks_stand_and_backward_ones_lead_them_back(forward, backward, fused):
    frames = np.arange(4)
    assert fuse(frames, np.array(forward), np.array(backward)).tolist() == fused


@pytest.mark.parametrize(
    ("labels", "expected"), [([], []), ([0, 0], [0, 0]), ([9, 0, 3, 9], [1, 0, 2, 1]), ([4, 2], [1, 2])]
)
def test_labels_are_numbered_by_first_appearance(labels, expected):
    assert numbered(np.array(labels, np.int64)).tolist() == expected


def _turning(random: np.random.Generator) -> Callable[[], Floats]:
    def motion() -> Floats:
        angle, scale = random.normal(0, 0.02), random.normal(1, 0.01)
        turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        return np.column_stack([turn, random.normal(0, 5, 2)])

    return motion


def test_the_camera_s_path_holds_a_still_point_still_in_both_directions_of_time():
    # Given a camera that turns, zooms and moves, and a point of the world as each frame sees it
    motion = _turning(np.random.default_rng(1))
    camera = [None, *(motion() for _ in range(20))]
    points = [np.array([300.0, 200.0])]
    for step in camera[1:]:
        points.append(step[:, :2] @ points[-1] + step[:, 2])
    # When it is put into the mosaic of the video and of the video played backwards
    for affines, seen in ((camera, points), (reversed_camera(camera), points[::-1])):
        path = camera_path(affines)
        placed = path.place(np.arange(21), np.array(seen))
        # Then it stays where the first frame saw it, and goes back to where each frame saw it
        assert placed == pytest.approx(np.tile(seen[0], (21, 1)))
        assert path.see(np.arange(21), placed) == pytest.approx(np.array(seen))


@pytest.mark.parametrize("online", [True, False], ids=["online", "offline"])
def test_a_pass_keeps_every_detection_once_and_in_the_log(online: bool):
    # Given a log that a pass over more frames than one chunk is to fill
    log, found = DetectionLog(), _seen((100, 100, 0.9), (300, 100, 0.9))
    tracking = tracking_pass(PLAIN, 30, SIZE, online=online, log=log)
    for _ in range(1500):
        tracking.add(found)
    # When it is tracked
    table = tracking.table()
    # Then the log holds it all, 24 bytes each, in arrays that frames are views of
    packed = log.packed()
    columns = (packed.found.boxes, packed.found.scores, packed.found.classes)
    assert (len(log), len(packed.found), len(table)) == (1500, 3000, 3000)
    assert sum(column.nbytes for column in columns) == 24 * 3000
    assert np.shares_memory(packed[1499].boxes, log.packed().found.boxes)


def test_frames_of_packed_detections_are_those_that_were_packed():
    frames = [_seen(), _seen((10, 20, 0.5)), _seen(), _seen((30, 40, 0.6), (50, 60, 0.7)), _seen()]
    packed = PackedDetections.of(frames)
    assert packed.frames.tolist() == [1, 3, 3]
    for number, found in enumerate(frames):
        assert packed[number].boxes.tolist() == found.boxes.tolist()
    assert len(packed) == 5


def test_the_offline_pass_takes_a_bounded_number_of_bytes_for_each_detection():
    # Given twenty objects in 1500 frames, each unseen in every seventh
    def run(frames: int) -> int:
        log = DetectionLog()
        tracking = tracking_pass(PLAIN, 30, (2000, 2000), online=False, log=log)
        for number in range(frames):
            shown = [(60 + 90 * n, 100 + 0.5 * number, 0.9) for n in range(20) if (number + n) % 7]
            tracking.add(_seen(*shown))
        tracking.table()
        return len(log.packed().found)

    run(20)
    # When it is tracked, its log included
    tracemalloc.start()
    try:
        detections = run(1500)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # Then no stage keeps Python's objects, or many copies of the arrays
    assert peak / detections < 250
