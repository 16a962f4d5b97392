"""Suppression: per class or across classes, capped, and equal to the definition."""

from __future__ import annotations

import numpy as np
import pytest
from shoal_worker.association import assign, overlapping
from shoal_worker.frames import Detections
from shoal_worker.layouts import Layout
from shoal_worker.nms import MAXIMUM_CANDIDATES, read_output, suppress
from shoal_worker.options import TrackOptions

SIZE = (100, 200)
_CENTRED, _SHARES = [50, 25, 20, 10], [0.25, 0.25, 0.1, 0.1]
_LOGITS = [-9, float(np.log(9)), -9]
_ONE = {
    Layout.YOLOV5: [[[*_CENTRED, 0.9, 0, 1, 0]]],
    Layout.YOLOV8: [[[value] for value in (*_CENTRED, 0, 0.9, 0)]],
    Layout.END_TO_END: [[[40, 20, 60, 30, 0.9, 1]]],
    Layout.RTDETR: [[[*_SHARES, 0, 0.9, 0]]],
    Layout.RTDETR_TOP: [[[*_SHARES, 0.9, 1]]],
    Layout.DETR: [[_SHARES], [_LOGITS]],
    Layout.RFDETR: [[_SHARES], [[*_LOGITS, 9]]],
}
"""One object in each layout; RF-DETR's last logit is the background's."""
_ONE = {layout: [np.array(part, np.float32) for part in parts] for layout, parts in _ONE.items()}


def _scattered(seed: int, count: int) -> Detections:
    random = np.random.default_rng(seed)
    corner = random.uniform(0, 100, (count, 2))
    size = random.uniform(10, 40, (count, 2))
    boxes = np.concatenate([corner, corner + size], axis=1).astype(np.float32)
    scores = (random.permutation(count) + 1).astype(np.float32) / count
    return Detections(boxes, scores, random.choice([0, 1, 900], count))


def _iou(one: np.ndarray, other: np.ndarray) -> float:
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    shared = max(0.0, width) * max(0.0, height)
    area = (one[2] - one[0]) * (one[3] - one[1]) + (other[2] - other[0]) * (other[3] - other[1])
    return float(shared / (area - shared))


def _by_definition(found: Detections, iou: float, *, agnostic: bool) -> list[int]:
    kept: list[int] = []
    for row in np.argsort(-found.scores).tolist():
        rivals = [other for other in kept if agnostic or found.classes[other] == found.classes[row]]
        if all(_iou(found.boxes[row], found.boxes[other]) <= iou for other in rivals):
            kept.append(row)
    return kept


@pytest.mark.parametrize("agnostic", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_suppression_is_the_greedy_definition(seed, agnostic):
    # Given boxes strewn over each other
    found = _scattered(seed, 60)
    # When they are suppressed
    kept = suppress(found, 0.3, agnostic=agnostic, limit=1000)
    # Then the survivors are those of the definition, best first
    expected = found.keep(np.array(_by_definition(found, 0.3, agnostic=agnostic)))
    assert kept.boxes.tolist() == expected.boxes.tolist()
    assert kept.scores.tolist() == sorted(kept.scores.tolist(), reverse=True)


def test_the_limit_keeps_the_best():
    found = _scattered(1, 60)
    everything = suppress(found, 0.3, agnostic=False, limit=1000)
    assert suppress(found, 0.3, agnostic=False, limit=5).scores.tolist() == everything.scores.tolist()[:5]


def test_candidates_are_capped_before_suppression():
    # Given more boxes than the cap, far apart from each other
    count = MAXIMUM_CANDIDATES + 500
    corner = np.stack([np.arange(count) * 20.0, np.zeros(count)], axis=1)
    boxes = np.concatenate([corner, corner + 10], axis=1).astype(np.float32)
    scores = np.linspace(0.1, 0.9, count).astype(np.float32)
    # When they are suppressed, Then the best of them are left
    kept = suppress(Detections(boxes, scores, np.zeros(count, np.int64)), 0.5, agnostic=True, limit=10**6)
    assert len(kept) == MAXIMUM_CANDIDATES
    assert kept.scores.min() == pytest.approx(scores[500])


def test_only_the_wanted_classes_are_kept():
    # Given an end-to-end output with classes 0, 1, 2
    output = np.array([[0, 0, 9, 9, 0.9, 0], [20, 0, 29, 9, 0.8, 1], [40, 0, 49, 9, 0.7, 2]], np.float32)
    # When classes 0 and 2 are asked for, Then 1 is gone
    found = read_output([output], Layout.END_TO_END, TrackOptions(classes=(0, 2)), SIZE)
    assert found.classes.tolist() == [0, 2]


@pytest.mark.parametrize("layout", list(Layout))
def test_no_detection_is_an_empty_result(layout):
    found = read_output([np.full_like(part, -9) for part in _ONE[layout]], layout, TrackOptions(), SIZE, 3)
    assert (len(found), found.boxes.shape, found.classes.dtype) == (0, (0, 4), np.int64)


@pytest.mark.parametrize("layout", list(Layout))
def test_every_layout_tells_of_the_same_object(layout):
    # Given one object of class 1 at 40..60 x 20..30 of a 200x100 input, as each layout writes it
    found = read_output(_ONE[layout], layout, TrackOptions(), SIZE, classes=3)
    # When it is read, Then place, score and class are the same
    assert found.boxes.tolist() == [pytest.approx([40, 20, 60, 30], abs=1e-3)]
    assert (found.scores.tolist(), found.classes.tolist()) == ([pytest.approx(0.9, abs=1e-3)], [1])


@pytest.mark.parametrize(("agnostic", "left"), [(False, 2), (True, 1)])
def test_a_query_that_is_sure_of_two_classes_is_one_object_only_where_classes_do_not_matter(agnostic, left):
    # Given a transformer's query with two likely classes
    outputs = [np.float32([[0.25, 0.25, 0.1, 0.1]]), np.float32([[2, 3, -9]])]
    # When it is read, with and without suppression across classes, Then the better one is always left
    found = read_output(outputs, Layout.DETR, TrackOptions(agnostic_nms=agnostic), SIZE, 3)
    assert (len(found), found.classes[0]) == (left, 1)


@pytest.mark.parametrize("seed", range(4))
def test_overlapping_pairs_are_all_pairs_with_their_ratio(seed):
    first, second = _scattered(seed, 30).boxes, _scattered(seed + 50, 25).boxes
    # Given two lists of boxes, When the overlapping pairs are asked for
    pairs = overlapping(first, second)
    # Then they are those of the definition
    expected = {
        (i, j): _iou(a, b) for i, a in enumerate(first) for j, b in enumerate(second) if _iou(a, b) > 0
    }
    columns = (pairs.first.tolist(), pairs.second.tolist(), pairs.similarity.tolist())
    found = {(i, j): similarity for i, j, similarity in zip(*columns, strict=True)}
    assert found == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("seed", range(4))
def test_the_assignment_is_one_to_one_and_loses_no_similarity(seed):
    from scipy.optimize import linear_sum_assignment

    # Given crowded pairs
    pairs = overlapping(_scattered(seed, 30).boxes, _scattered(seed + 50, 25).boxes).above(0.2)
    # When they are assigned
    chosen = assign(pairs)
    # Then no box is in two pairs, and the dense assignment is not better
    assert len(set(chosen.first.tolist())) == len(chosen.first)
    assert len(set(chosen.second.tolist())) == len(chosen.second)
    gain = np.zeros((30, 25))
    gain[pairs.first, pairs.second] = pairs.similarity
    best = gain[linear_sum_assignment(gain, maximize=True)].sum()
    assert chosen.similarity.sum() == pytest.approx(best)
