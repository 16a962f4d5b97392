"""Concurrent requests run through the model together: while one batch is computed, the next one gathers.

Nobody waits for a batch to fill, so a request alone is answered as fast as before.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field

from shoal_worker.frames import Detections, Image

MAXIMUM_BATCH = 8
MAXIMUM_DECODED_PIXELS = 150_000_000
"""Decoded pictures that may wait at once, 450 MB of RGB; one of the largest allowed takes a third."""

DetectMany = Callable[[Sequence[Image]], Sequence[Detections]]


@dataclass(eq=False)
class _Ticket:
    image: Image
    result: Future[Detections] = field(default_factory=Future)


class Gathering:
    """A detector for many threads. Whoever gets the turn serves the oldest requests of one picture size."""

    def __init__(self, run: DetectMany, limit: int = MAXIMUM_BATCH) -> None:
        self._run, self._limit = run, limit
        self._turn, self._lock = threading.Lock(), threading.Lock()
        self._waiting: list[_Ticket] = []
        self.batches = self.images = 0

    def detect(self, image: Image) -> Detections:
        """What is in ``image`` (height, width, 3) uint8 RGB; raises what the model raises."""
        ticket = _Ticket(image)
        with self._lock:
            self._waiting.append(ticket)
        with self._turn:
            while not ticket.result.done():
                self._serve(self._take())
        return ticket.result.result()

    def _take(self) -> list[_Ticket]:
        """The oldest request and those behind it whose pictures have its size."""
        with self._lock:
            size = self._waiting[0].image.shape
            taken = [ticket for ticket in self._waiting if ticket.image.shape == size][: self._limit]
            self._waiting = [ticket for ticket in self._waiting if ticket not in taken]
        self.batches += 1
        self.images += len(taken)
        return taken

    def _serve(self, taken: list[_Ticket]) -> None:
        try:
            results = self._run([ticket.image for ticket in taken])
        except Exception as error:  # noqa: BLE001 - it is raised again in every thread that waits for it
            for ticket in taken:
                ticket.result.set_exception(error)
            return
        for ticket, found in zip(taken, results, strict=True):
            ticket.result.set_result(found)


class PixelBudget:
    """How many decoded pixels may be held at once; those who ask for more wait their turn."""

    def __init__(self, pixels: int = MAXIMUM_DECODED_PIXELS) -> None:
        self._left = self._whole = pixels
        self._changed = threading.Condition()

    @contextmanager
    def hold(self, pixels: int) -> Iterator[None]:
        """Hold ``pixels`` for the block; a single request never asks for more than there are."""
        wanted = min(pixels, self._whole)
        with self._changed:
            self._changed.wait_for(lambda: self._left >= wanted)
            self._left -= wanted
        try:
            yield
        finally:
            with self._changed:
                self._left += wanted
                self._changed.notify_all()
