"""The variations that training sees keep box and picture together."""

from __future__ import annotations

import numpy as np
import pytest
from shoal_detector.samples import INPUT_HEIGHT, INPUT_WIDTH, Sample, inside, vary


def test_a_variation_moves_the_box_with_what_it_holds() -> None:
    # Given a bright block on a dark ground
    picture = np.full((384, 640, 3), 20, np.uint8)
    picture[120:220, 200:330] = 230
    sample = Sample(picture, np.array([[200, 120, 330, 220]], np.float32), np.array([1]))
    rng = np.random.default_rng(1)

    for _ in range(60):
        # When
        varied = vary(sample, rng)

        # Then its sides are where the box says, to the pixel that scaling blurs
        bright = varied.picture[..., 1].astype(int) > _middle(varied)
        rows, columns = np.nonzero(bright)
        found = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        assert varied.picture.shape == (INPUT_HEIGHT, INPUT_WIDTH, 3)
        assert np.abs(varied.boxes[0] - found).max() <= 1.0


@pytest.mark.parametrize(
    ("box", "kept"),
    [
        ((10, 10, 50, 50), [(10, 10, 50, 50)]),
        ((-20, 10, 20, 50), [(0, 10, 20, 50)]),
        ((-30, 10, 10, 50), []),
        ((300, 180, 400, 220), []),
    ],
)
def test_a_box_mostly_outside_is_left_out(
    box: tuple[int, int, int, int], kept: list[tuple[int, int, int, int]]
) -> None:
    # Given
    picture = np.zeros((INPUT_HEIGHT, INPUT_WIDTH, 3), np.uint8)
    sample = Sample(picture, np.array([box], np.float32), np.array([2]))

    # When
    left = inside(sample)

    # Then
    assert [tuple(row) for row in left.boxes.tolist()] == kept
    assert left.labels.tolist() == [2] * len(kept)


def _middle(sample: Sample) -> float:
    # The letterbox's grey lies between dark and bright, so the threshold stands above it.
    x, y = ((sample.boxes[0, :2] + sample.boxes[0, 2:]) / 2).astype(int)
    return (max(114, int(sample.picture[..., 1].min())) * 1.25 + float(sample.picture[y, x, 1])) / 2.25
