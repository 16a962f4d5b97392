"""Concurrent requests run together; what is held in memory is bounded."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from shoal_worker.frames import Detections, Image
from shoal_worker.service.gathering import Gathering, PixelBudget


def image(value: int, side: int = 4) -> Image:
    return np.full((side, side, 3), value, np.uint8)


def found(value: int) -> Detections:
    return Detections(np.full((1, 4), value, np.float32), np.ones(1, np.float32), np.zeros(1, np.int64))


class Model:
    """Answers the value of each picture; its first batch takes until the test lets it go on."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.entered, self.go_on = threading.Event(), threading.Event()

    def __call__(self, images: Sequence[Image]) -> list[Detections]:
        self.batches.append([int(one[0, 0, 0]) for one in images])
        self.entered.set()
        assert self.go_on.wait(10)
        return [found(int(one[0, 0, 0])) for one in images]


def crowd(gathering: Gathering, model: Model, images: list[Image]) -> list[Callable[[], Detections]]:
    """One request that is computed, then the others behind it, in order."""
    pool = ThreadPoolExecutor(len(images))
    futures = [pool.submit(gathering.detect, images[0])]
    assert model.entered.wait(10)
    for number, one in enumerate(images[1:], 1):
        futures.append(pool.submit(gathering.detect, one))
        while len(gathering._waiting) < number:
            threading.Event().wait(0.001)
    model.go_on.set()
    pool.shutdown(wait=True)
    return [future.result for future in futures]


def test_those_who_wait_are_computed_together() -> None:
    # Given a model that is busy with one picture while five more come, one of another size
    model = Model()
    gathering = Gathering(model, limit=3)
    pictures = [image(1), image(2), image(3), image(4, side=8), image(5), image(6)]
    # When
    answers = [take() for take in crowd(gathering, model, pictures)]
    # Then each gets its own answer, sizes are not mixed, a batch has at most three
    assert [int(answer.boxes[0, 0]) for answer in answers] == [1, 2, 3, 4, 5, 6]
    assert model.batches[:2] == [[1], [2, 3, 5]]
    assert sorted(model.batches[2:]) == [[4], [6]]
    assert (gathering.batches, gathering.images) == (4, 6)


def test_a_failure_reaches_all_of_its_batch_and_nobody_else() -> None:
    model = Model()

    def run(images: Sequence[Image]) -> list[Detections]:
        answers = model(images)
        if len(images) > 1:
            raise RuntimeError("the model broke")
        return answers

    gathering = Gathering(run)
    first, *others = crowd(gathering, model, [image(1), image(2), image(3)])
    assert int(first().boxes[0, 0]) == 1
    for other in others:
        with pytest.raises(RuntimeError, match="the model broke"):
            other()
    assert int(gathering.detect(image(9)).boxes[0, 0]) == 9


def test_pixels_wait_until_there_is_room() -> None:
    # Given a budget of ten pixels, seven of them held
    budget, inside, leave = PixelBudget(10), threading.Event(), threading.Event()

    def second() -> None:
        with budget.hold(5):
            inside.set()
            leave.wait(10)

    with budget.hold(7), budget.hold(3):
        waiting = threading.Thread(target=second)
        waiting.start()
        assert not inside.is_set()
    # When they are given back, Then the next one enters, and one above the whole budget after it
    assert inside.wait(10)
    leave.set()
    waiting.join(10)
    with budget.hold(99):
        assert budget._left == 0
    assert budget._left == 10
