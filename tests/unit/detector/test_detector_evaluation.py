"""The scores, on tracks whose worth is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from shoal_detector.evaluation import Rows, evaluate

FRAMES = 20


@pytest.fixture
def truth() -> Rows:
    """Two animals that stay apart for twenty frames."""
    frames = np.repeat(np.arange(1, FRAMES + 1), 2)
    boxes = np.array([[10.0, 10, 20, 20], [100, 50, 30, 20]] * FRAMES)
    return Rows(frames, np.tile([4, 9], FRAMES), np.tile([0, 1], FRAMES), boxes)


def test_the_truth_itself_is_perfect(truth: Rows) -> None:
    # When
    score = evaluate(truth, replace(truth, ids=truth.ids + 100), FRAMES)

    # Then
    assert (score.idf1, score.hota, score.mota, score.switches) == (1.0, 1.0, 1.0, 0)


def test_no_track_is_worth_nothing(truth: Rows) -> None:
    # Given
    nothing = Rows(truth.frames[:0], truth.ids[:0], truth.labels[:0], truth.boxes[:0])

    # When, Then
    assert evaluate(truth, nothing, FRAMES).idf1 == 0.0


def test_a_wrong_name_gets_no_credit(truth: Rows) -> None:
    # Given the second animal called by the first one's name
    tracks = replace(truth, labels=np.zeros_like(truth.labels))

    # When
    score = evaluate(truth, tracks, FRAMES)

    # Then half of the boxes count
    assert score.idf1 == pytest.approx(0.5)
    assert score.recall == pytest.approx(0.5)


def test_two_ids_swapped_halfway_keep_the_boxes_and_lose_the_identity(truth: Rows) -> None:
    # Given one class, and ids exchanged in the middle
    alike = replace(truth, labels=np.zeros_like(truth.labels), boxes=np.tile([[10.0, 10, 20, 20]], (40, 1)))
    alike.boxes[1::2, 0] = 100
    swapped = replace(alike, ids=np.where(alike.frames > FRAMES // 2, 13 - alike.ids, alike.ids))

    # When
    score = evaluate(alike, swapped, FRAMES)

    # Then
    assert score.recall == 1.0
    assert score.switches == 2
    assert score.idf1 == pytest.approx(0.5)
