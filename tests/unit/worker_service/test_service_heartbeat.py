"""Visibility: extended while a video is worked on, never past what SQS allows."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import cast

import pytest
from shoal_worker.service.errors import Transient
from shoal_worker.service.heartbeat import HUNG_SECONDS, IN_FLIGHT_CAP_SECONDS, Heartbeat
from shoal_worker.service.video_queue import Delivery, NoLongerOurs, VideoQueue

DELIVERY = Delivery("{}", "receipt", "m1", 1, received_at=1000.0)


@dataclass
class Queue:
    fault: Exception | None = None
    asked: list[int] = field(default_factory=list)
    first: threading.Event = field(default_factory=threading.Event)

    def extend(self, delivery: Delivery, seconds: int) -> None:
        self.asked.append(seconds)
        self.first.set()
        if self.fault:
            raise self.fault


def heartbeat(queue: Queue, now: float, hung: list[str], interval: float = 100.0) -> Heartbeat:
    return Heartbeat(
        cast(VideoQueue, queue), DELIVERY, 8200.0, lambda: hung.append("hung"), interval, lambda: now
    )


@pytest.mark.parametrize(
    ("age", "expected"),
    [
        (0, 300),
        (3600, 300),
        (IN_FLIGHT_CAP_SECONDS - 300, 300),
        (IN_FLIGHT_CAP_SECONDS - 10, 10),
        (IN_FLIGHT_CAP_SECONDS, 0),
        (13 * 3600, 0),
    ],
)
def test_an_extension_never_passes_twelve_hours(age: float, expected: int) -> None:
    # Given
    queue = Queue()
    beating = heartbeat(queue, 1000.0 + age, [])
    # When
    beating.beat()
    # Then
    assert beating.next_extension() == expected
    assert queue.asked == ([expected] if expected else [])
    assert age + expected < 12 * 3600 or expected == 0


@pytest.mark.parametrize(("fault", "holds"), [(NoLongerOurs("gone"), True), (None, False)])
def test_whoever_lost_the_video_is_told_once(fault: Exception | None, holds: bool) -> None:
    # Given
    queue, told = Queue(fault), []
    beating = Heartbeat(
        cast(VideoQueue, queue), DELIVERY, 8200.0, lambda: None, now=lambda: 1000.0,
        holds=lambda: holds, on_lost=lambda: told.append("lost"),
    )  # fmt: skip
    # When
    beating.beat()
    beating.beat()
    # Then
    assert (told, queue.asked) == (["lost"], [300])


def test_a_record_that_does_not_answer_loses_nothing() -> None:
    def holds() -> bool:
        raise Transient("throttled")

    told: list[str] = []
    beating = Heartbeat(
        cast(VideoQueue, Queue()), DELIVERY, 8200.0, lambda: None, now=lambda: 1000.0,
        holds=holds, on_lost=lambda: told.append("lost"),
    )  # fmt: skip
    beating.beat()
    assert (told, beating.lost) == ([], False)


def test_the_thread_beats_and_stops() -> None:
    queue = Queue()
    with heartbeat(queue, 1000.0, [], interval=0.01):
        assert queue.first.wait(5)
    count = len(queue.asked)
    queue.first.clear()
    assert not queue.first.wait(0.05)
    assert len(queue.asked) == count


@pytest.mark.parametrize(("fault", "beats"), [(NoLongerOurs("gone"), 1), (Transient("throttled"), 2)])
def test_a_lost_message_is_left_alone_and_a_throttle_is_tried_again(fault: Exception, beats: int) -> None:
    queue = Queue(fault)
    beating = heartbeat(queue, 1000.0, [])
    beating.beat()
    beating.beat()
    assert len(queue.asked) == beats


@pytest.mark.parametrize(
    ("now", "expected"), [(8200.0, []), (8200.0 + HUNG_SECONDS, []), (8201.0 + HUNG_SECONDS, ["hung"])]
)
def test_a_video_that_hangs_is_noticed(now: float, expected: list[str]) -> None:
    hung: list[str] = []
    heartbeat(Queue(), now, hung).beat()
    assert hung == expected
