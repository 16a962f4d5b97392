"""The packaged detector, in the real worker, on a video that it was not trained on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from shoal_detector import CLASS_NAMES, model_path
from shoal_detector.score import HELD_OUT, score_video
from shoal_worker import Detector

FRAMES = 150


@pytest.fixture(scope="module")
def detector() -> Detector:
    return Detector(model_path())


def test_tracks_on_a_held_out_video_agree_with_the_truth(detector: Detector, tmp_path: Path) -> None:
    # Given a seed that training never rendered
    seed = HELD_OUT[0]

    # When
    score = score_video(detector, tmp_path, seed, FRAMES)

    # Then
    assert score.idf1 > 0.90, score
    assert score.mota > 0.85, score


def test_the_model_is_small_and_says_what_it_is(detector: Detector) -> None:
    # Given
    card = json.loads(model_path().with_suffix(".json").read_text())

    # Then
    assert model_path().stat().st_size == card["bytes"] < 1_000_000
    assert detector.names == CLASS_NAMES
    assert detector.model.stride == 8
    assert card["score"]["idf1"] > 0.90
    first, count = card["recipe"]["first_scene"], card["recipe"]["scenes"]
    assert not set(HELD_OUT) & set(range(first, first + count))
