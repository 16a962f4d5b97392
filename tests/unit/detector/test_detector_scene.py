"""The renderer: the same seed gives the same pictures, and the truth is what the pixels show."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from shoal_detector.population import Population
from shoal_detector.render import render_frames
from shoal_detector.scene import SEEN, Scene
from shoal_detector.truth import TruthBox

SEEDS = (3, 41, 98)
BLUR = 4  # how far, in pixels, an animal's soft edge reaches beyond what counts as its body
GAP = 16


@pytest.fixture(scope="module")
def long_truth() -> dict[int, list[tuple[TruthBox, ...]]]:
    """The truth of twenty frames, twenty steps apart, of each seed: long enough for entries and exits."""
    return {seed: [boxes for _, boxes in render_frames(seed, 20, stride=20)] for seed in SEEDS}


def test_a_seed_fixes_every_pixel_and_every_box() -> None:
    # Given, When
    first, second, other = (list(render_frames(seed, 4, stride=5)) for seed in (7, 7, 8))

    # Then
    for (picture, boxes), (again, boxes_again) in zip(first, second, strict=True):
        assert picture.dtype == np.uint8
        assert picture.shape == (384, 640, 3)
        assert np.array_equal(picture, again)
        assert boxes == boxes_again
    assert not np.array_equal(first[0][0], other[0][0])


def test_the_stride_skips_frames_without_changing_them() -> None:
    # Given
    every = list(render_frames(5, 7))

    # When
    third = list(render_frames(5, 3, stride=3))

    # Then
    assert [boxes for _, boxes in third] == [boxes for _, boxes in every[::3]]


@pytest.mark.parametrize("seed", SEEDS)
def test_boxes_lie_inside_the_frame(seed: int, long_truth: dict[int, list[tuple[TruthBox, ...]]]) -> None:
    # Given
    boxes = [box for frame in long_truth[seed] for box in frame]

    # Then
    assert boxes
    for box in boxes:
        assert 0 <= box.left < box.left + box.width <= 640
        assert 0 <= box.top < box.top + box.height <= 384
        assert SEEN <= box.visibility <= 1
        assert 0 <= box.label < 3


@pytest.mark.parametrize("seed", SEEDS)
def test_an_identity_belongs_to_one_animal_and_never_comes_back(seed: int) -> None:
    # Given half a minute in front of a camera that pans
    population = Population(np.random.default_rng(seed), 640, 384, 7)
    labels = {member.identity: member.label for member in population.members}
    before, gone = set(labels), set[int]()

    for step in range(900):
        # When
        population.advance(30.0, (0.8 * step, 0.0))
        now = {member.identity: member.label for member in population.members}

        # Then
        assert len(now) == len(population.members)
        assert not gone & set(now)
        assert all(labels.setdefault(identity, label) == label for identity, label in now.items())
        gone |= before - set(now)
        before = set(now)
    assert len(gone) > 5
    assert sorted(labels) == list(range(1, len(labels) + 1))


def test_animals_enter_from_beyond_the_edge() -> None:
    # Given
    scene = Scene(98)
    first = {member.identity for member in scene.animals}

    # When
    for _ in range(400):
        scene.advance()
        fresh = [member for member in scene.animals if member.identity not in first]
        if fresh:
            break

    # Then somebody came, and is not yet in the truth
    _, boxes = scene.render()
    assert fresh
    assert not {member.identity for member in fresh} & {box.identity for box in boxes}


def test_what_differs_from_the_empty_sea_is_inside_the_boxes() -> None:
    # Given a frame in which every animal counts, and the same sea without animals
    for seed in range(20, 60):
        scene, sea = Scene(seed), Scene(seed, animals=0)
        picture, boxes = scene.render()
        bare, none = sea.render()
        if len(boxes) < len(scene.animals):
            continue

        # When
        changed = np.abs(picture.astype(int) - bare).max(axis=2) > 0

        # Then
        assert not none
        for box in boxes:
            changed[_window(box, BLUR)] = False
        assert not changed.any()
        return
    pytest.fail("no seed had all its animals in view")


def test_boxes_are_tight() -> None:
    # Given animals that are whole and alone
    tried = 0
    for seed in range(20, 28):
        picture, boxes = Scene(seed).render()
        bare, _ = Scene(seed, animals=0).render()
        changed = np.abs(picture.astype(int) - bare).max(axis=2) > 6
        for box in boxes:
            if box.visibility < 1 or not _alone(box, boxes) or not _away_from_edges(box):
                continue
            # When
            rows, columns = np.nonzero(changed[_window(box, GAP // 2)])
            found = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)

            # Then the sides of what changed are the sides of the box, but for the soft edge
            wanted = (GAP // 2, GAP // 2, GAP // 2 + box.width, GAP // 2 + box.height)
            assert np.abs(np.subtract(found, wanted)).max() <= BLUR
            tried += 1
    assert tried > 8


def _window(box: TruthBox, margin: int) -> tuple[slice, slice]:
    top, left = max(box.top - margin, 0), max(box.left - margin, 0)
    return slice(top, box.top + box.height + margin), slice(left, box.left + box.width + margin)


def _away_from_edges(box: TruthBox) -> bool:
    inside = box.left > GAP and box.left + box.width < 640 - GAP
    return inside and box.top > GAP and box.top + box.height < 384 - GAP


def _alone(box: TruthBox, boxes: tuple[TruthBox, ...]) -> bool:
    def span(other: TruthBox) -> npt.NDArray[np.int64]:
        return np.array([other.left, other.top, other.left + other.width, other.top + other.height])

    mine = span(box) + np.array([-GAP, -GAP, GAP, GAP])
    others = [span(other) for other in boxes if other.identity != box.identity]
    return all((mine[:2] >= s[2:]).any() or (mine[2:] <= s[:2]).any() for s in others)
