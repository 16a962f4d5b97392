"""The tracker: identities on synthetic scenes, its filter against the textbook's, and a real sequence's
truth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment
from shoal_worker import kalman
from shoal_worker.association import overlapping
from shoal_worker.frames import Detections, TrackTable
from shoal_worker.table import TableBuilder, summarise
from shoal_worker.tracker import Tracker, TrackerParameters

MOT15 = Path(__file__).parents[4] / "shared" / "data" / "mot" / "mot15"
mot15 = pytest.mark.skipif(not MOT15.is_dir(), reason="the MOT15 detections are not beside the project")


def _seen(*objects: tuple[float, float, float], side: float = 40, label: int = 0) -> Detections:
    """Boxes of ``side`` pixels around (x, y), each with a score."""
    rows = np.array(objects, np.float32).reshape(-1, 3)
    boxes = np.concatenate([rows[:, :2] - side / 2, rows[:, :2] + side / 2], axis=1)
    return Detections(boxes, rows[:, 2], np.full(len(rows), label))


def _ids(tracker: Tracker, found: Detections) -> list[int]:
    return tracker.update(found).ids.tolist()


def test_ids_count_from_one_in_every_tracker_and_stay():
    for _ in range(2):
        # Given a new tracker and two objects that drift apart
        tracker = Tracker(TrackerParameters(), fps=30)
        # When they are seen for ten frames
        ids = [_ids(tracker, _seen((100 + 3 * n, 100, 0.9), (300 - 3 * n, 200, 0.8))) for n in range(10)]
        # Then they are tentative once, and then 1 and 2
        assert ids == [[0, 0]] + [[1, 2]] * 9


@pytest.mark.parametrize(
    ("gap", "seconds", "same"),
    [(5, 1.0, True), (29, 1.0, True), (31, 1.0, False), (31, 2.0, True), (7, 0.2, False)],
)
def test_an_identity_survives_a_gap_as_long_as_the_buffer(gap, seconds, same):
    # Given an object that moves steadily and is unseen for a while, at 30 frames per second
    tracker = Tracker(TrackerParameters(lost_seconds=seconds), fps=30)
    before = [_ids(tracker, _seen((100 + 2 * n, 100, 0.9))) for n in range(20)]
    for _ in range(gap):
        assert _ids(tracker, _seen()) == []
    # When it comes back where its speed has taken it
    back = [_ids(tracker, _seen((100 + 2 * (20 + gap + n), 100, 0.9))) for n in range(3)]
    # Then it has its old id, if the buffer is long enough
    assert before[-1] == [1]
    assert back[-1] == ([1] if same else [2])


def test_a_low_score_rescues_a_track_and_starts_none():
    # Given one track, and one object that is only ever seen faintly
    tracker = Tracker(TrackerParameters(), fps=30)
    for n in range(5):
        _ids(tracker, _seen((100 + n, 100, 0.9), (400, 300, 0.15)))
    # When both are faint
    ids = _ids(tracker, _seen((105, 100, 0.15), (400, 300, 0.15)))
    # Then the track goes on and the other is nobody
    assert ids == [1]


def test_crossing_objects_keep_their_identities():
    # Given two objects that pass each other closely
    tracker = Tracker(TrackerParameters(), fps=30)
    last = []
    for n in range(60):
        last = _ids(tracker, _seen((100 + 4 * n, 100, 0.9), (340 - 4 * n, 122, 0.9)))
    # When they have passed, Then each has the id it began with
    assert last == [1, 2]


def test_a_tentative_track_that_is_missed_is_forgotten():
    tracker = Tracker(TrackerParameters(minimum_hits=3), fps=30)
    seen = [_seen((100, 100, 0.9)), _seen((100, 100, 0.9)), _seen(), *[_seen((100, 100, 0.9))] * 3]
    assert [_ids(tracker, found) for found in seen] == [[0], [0], [], [0], [0], [1]]


def test_the_camera_s_motion_is_taken_out():
    # Given a still object under a camera that jumps by more than the object's size
    jump = np.array([[1.0, 0.0, 60.0], [0.0, 1.0, 0.0]])

    def last_id(motion: np.ndarray | None) -> int:
        tracker = Tracker(TrackerParameters(), fps=30)
        for _ in range(5):
            _ids(tracker, _seen((100, 100, 0.9)))
        tracker.update(_seen((160, 100, 0.9)), motion)
        return _ids(tracker, _seen((160, 100, 0.9)))[0]

    # When the motion is known, Then the id stays; when it is not, it cannot
    assert (last_id(jump), last_id(None)) == (1, 2)


def test_the_table_begins_with_the_tentative_frames_and_drops_the_rest():
    # Given a track of ten frames and a flash of one
    tracker, builder = Tracker(TrackerParameters(), fps=30), TableBuilder()
    for n in range(1, 11):
        flash = [(400.0, 300.0, 0.9)] if n == 5 else []
        builder.add(n, tracker.update(_seen((100 + n, 100, 0.9), *flash)))
    # When the table is made
    table = builder.table()
    # Then the track is there from its first frame, and the flash is not
    assert table.frames.tolist() == list(range(1, 11))
    assert set(table.ids.tolist()) == {1}
    assert len(builder.table(minimum_frames=11)) == 0


def test_a_track_s_label_is_voted_by_score():
    # Given a track of three frames: twice faintly 0, once clearly 2
    scores = np.array([0.3, 0.3, 0.9], np.float32)
    found = Detections(np.zeros((3, 4), np.float32), scores, np.array([0, 0, 2]))
    table = TrackTable.detected(np.array([4, 5, 9]), np.array([7, 7, 7]), found)
    # When it is summarised
    (track,) = summarise(table, lambda index: "abc"[index])
    # Then the sum of the scores decides
    assert (track.id, track.label, track.first_frame, track.last_frame, track.frame_count) == (
        7,
        "c",
        4,
        9,
        3,
    )
    assert track.average_score == pytest.approx(0.5)
    assert summarise(TrackTable.empty(), str) == []


def test_an_interpolated_box_neither_votes_nor_counts():
    # Given a track seen twice, with two boxes between that nobody saw
    found = Detections(np.zeros((4, 4), np.float32), np.array([0.5, 0, 0, 0.7], np.float32), np.zeros(4, int))
    table = TrackTable(np.array([1, 2, 3, 4]), np.ones(4, np.int64), found, np.array([0, 2, 2, 0]))
    # When it is summarised, Then they are told apart
    (track,) = summarise(table, str)
    assert (track.frame_count, track.interpolated_count, track.last_frame) == (2, 2, 4)
    assert track.average_score == pytest.approx(0.6)


@pytest.mark.parametrize("smooth", [True, False])
def test_a_tracked_box_has_less_of_the_detector_s_jitter(smooth):
    # Given an object on a straight path, whose detected box jumps about by two pixels
    random = np.random.default_rng(5)
    places = [100.0 + 3 * n for n in range(60)]
    tracker = Tracker(TrackerParameters(smooth_boxes=smooth), fps=30)
    # When it is tracked
    missed, jitter = [], []
    for place in places:
        seen = _seen((place + random.normal(0, 2), 100, 0.9))
        box = tracker.update(seen).detections.boxes[0]
        missed.append(float(box[0] + 20 - place))
        jitter.append(float(seen.boxes[0, 0] + 20 - place))
    # Then its boxes are nearer to the truth than the detector's; where that is not wanted, the detector's
    if smooth:
        assert np.std(missed[10:]) < 0.85 * np.std(jitter[10:])
    else:
        assert missed == jitter


def test_a_speed_may_change_as_fast_at_every_frame_rate():
    # Given a still box, followed for a second at different frame rates
    unsure = []
    for fps in (15, 30, 60):
        state = kalman.start(np.array([[100.0, 100.0, 140.0, 140.0]]))
        state[kalman.SPEED_VARIANCE] = 0
        kalman.predict(state, np.array([False]), 30 / fps)
        unsure.append(float(np.sqrt(state[kalman.SPEED_VARIANCE, 0, 0])) * fps)
    # When a frame passes, Then its speed in pixels a second has become unsure by the same
    assert unsure == pytest.approx([40 / 320 * 30] * 3)


def test_a_lost_box_moves_on_and_keeps_its_size():
    # Given a box that moves and grows
    state = kalman.start(np.array([[100.0, 100.0, 140.0, 140.0]]))
    for n in range(1, 20):
        kalman.predict(state, np.array([False]))
        box = np.array([[100.0 + 4 * n, 100.0, 140.0 + 6 * n, 140.0 + 2 * n]])
        kalman.correct(state, np.array([0]), box)
    before = state[kalman.VALUE, :, 0].copy()
    # When it is lost for ten frames
    for _ in range(10):
        kalman.predict(state, np.array([True]))
    # Then it goes on with its speed of five pixels a frame, in its last size
    assert state[kalman.VALUE, 0, 0] == pytest.approx(before[0] + 50, abs=5)
    assert state[kalman.VALUE, 2:, 0] == pytest.approx(before[2:])


def _textbook(boxes: np.ndarray, fps: float) -> tuple[np.ndarray, np.ndarray]:
    """The same filter for one box, with 8x8 matrices as in a textbook; answers mean and covariance."""
    pace = 30 / fps
    step = np.eye(8)
    step[:4, 4:] = np.eye(4)
    look = np.eye(4, 8)
    centred = kalman.to_centred(boxes).T
    size = np.tile(centred[0, 2:], 2)
    mean = np.append(centred[0], np.zeros(4))
    cover = np.diag(np.concatenate([2 * size / 20, size / 16]) ** 2)
    for measured in centred[1:]:
        size = np.tile(mean[2:4], 2)
        mean = step @ mean
        cover = step @ cover @ step.T + np.diag(np.concatenate([size / 20, pace * size / 320]) ** 2)
        noise = np.diag((np.tile(mean[2:4], 2) / 20) ** 2)
        gain = cover @ look.T @ np.linalg.inv(look @ cover @ look.T + noise)
        mean = mean + gain @ (measured - look @ mean)
        cover = cover - gain @ look @ cover
    return mean, cover


@pytest.mark.parametrize("fps", [7.0, 30.0, 60_000 / 1001])
def test_the_decoupled_filter_is_the_textbook_s(fps):
    # Given a box that moves and grows irregularly
    random = np.random.default_rng(3)
    boxes = np.cumsum(random.normal(2, 1, (30, 4)), axis=0) + np.array([100, 100, 180, 160])
    # When both filters follow it
    state = kalman.start(boxes[:1])
    for box in boxes[1:]:
        kalman.predict(state, np.array([False]), 30 / fps)
        kalman.correct(state, np.array([0]), box[None])
    mean, cover = _textbook(boxes, fps)
    # Then they agree in mean and covariance
    assert np.concatenate([state[kalman.VALUE, :, 0], state[kalman.SPEED, :, 0]]) == pytest.approx(mean)
    assert state[kalman.VALUE_VARIANCE, :, 0] == pytest.approx(np.diag(cover)[:4])
    assert state[kalman.SPEED_VARIANCE, :, 0] == pytest.approx(np.diag(cover)[4:])
    assert state[kalman.COVARIANCE, :, 0] == pytest.approx(np.diag(cover[:4, 4:]))


def _idf1(truth: np.ndarray, table: TrackTable, frames: int) -> float:
    """IDF1 (Ristani et al. 2016): the best one-to-one map of identities, matched at an overlap of a half."""
    shared = np.zeros((int(truth[:, 1].max()) + 1, int(table.ids.max()) + 1))
    for frame in range(1, frames + 1):
        real, mine = truth[truth[:, 0] == frame], table.keep(table.frames == frame)
        pairs = overlapping(
            np.hstack([real[:, 2:4], real[:, 2:4] + real[:, 4:6]]), mine.detections.boxes
        ).above(0.5)
        shared[real[pairs.first, 1].astype(int), mine.ids[pairs.second]] += 1
    return float(2 * shared[linear_sum_assignment(shared, maximize=True)].sum() / (len(truth) + len(table)))


@mot15
@pytest.mark.data
@pytest.mark.parametrize(
    ("sequence", "fps", "least"),
    [("TUD-Campus", 25, 0.60), ("TUD-Stadtmitte", 25, 0.77), ("KITTI-13", 10, 0.42)],
)
def test_real_detections_give_sensible_identities(sequence, fps, least):
    # Given the public detections of a sequence
    rows = np.loadtxt(MOT15 / sequence / "det.txt", delimiter=",")
    truth = np.loadtxt(MOT15 / sequence / "gt.txt", delimiter=",")
    truth = truth[truth[:, 6] != 0]
    tracker, builder = Tracker(TrackerParameters(), fps), TableBuilder()
    frames = int(max(rows[:, 0].max(), truth[:, 0].max()))
    # When they are tracked
    for frame in range(1, frames + 1):
        now = rows[rows[:, 0] == frame]
        boxes = np.hstack([now[:, 2:4], now[:, 2:4] + now[:, 4:6]]).astype(np.float32)
        found = Detections(boxes, now[:, 6].clip(0, 1).astype(np.float32), np.zeros(len(now), np.int64))
        builder.add(frame, tracker.update(found))
    # Then the identities are about as good as the public ByteTrack implementations make them (0.60 to 0.67,
    # 0.71 to 0.76, 0.39 to 0.47)
    assert _idf1(truth, builder.table(), frames) > least
