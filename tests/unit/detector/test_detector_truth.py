"""The truth's MOT text."""

from __future__ import annotations

from pathlib import Path

import pytest
from shoal_detector.truth import Truth, TruthBox, read_boxes

BOXES = (
    TruthBox(2, 1, 10, 20, 30, 40, 0, 0.5),
    TruthBox(1, 2, 0, 0, 5, 6, 2, 1.0),
    TruthBox(1, 1, 9, 20, 30, 40, 0, 0.25),
)


def test_the_text_is_ordered_and_counts_classes_from_one() -> None:
    # Given boxes in no order
    truth = Truth(seed=1, frames=2, width=64, height=48, boxes=BOXES)

    # When
    text = truth.mot_text()

    # Then
    assert text == "1,1,9,20,30,40,1,1,0.2500\n1,2,0,0,5,6,1,3,1.0000\n2,1,10,20,30,40,1,1,0.5000\n"


def test_the_text_comes_back_as_the_same_boxes(tmp_path: Path) -> None:
    # Given
    path = tmp_path / "gt.txt"
    Truth(seed=1, frames=2, width=64, height=48, boxes=BOXES).write(path)

    # When
    boxes = read_boxes(path)

    # Then
    assert set(boxes) == set(BOXES)


@pytest.mark.parametrize("line", ["1,2,3", "1,1,0,0,5,5,1,1,1.0,9", "a,1,0,0,5,5,1,1,1.0"])
def test_a_line_of_another_form_is_refused(line: str) -> None:
    # When, Then
    with pytest.raises(ValueError, match=r"nine fields|invalid literal"):
        TruthBox.parse(line)
