"""An iterator that is run ahead of its consumer, in a thread, by a bounded number of items."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

Item = TypeVar("Item")


class _End(Generic[Item]):
    """The last thing in the queue: why the source ended."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


@contextlib.contextmanager
def read_ahead(source: Iterable[Item], depth: int) -> Iterator[Iterator[Item]]:
    """Iterate over ``source`` in a thread, at most ``depth`` items ahead; its error is raised in the
    consumer.

    Leaving the block ends the thread, also in the middle of the source.
    """
    waiting: queue.Queue[Item | _End[Item]] = queue.Queue(depth)
    leaving = threading.Event()
    thread = threading.Thread(target=_fill, args=(source, waiting, leaving), name="shoal-decode", daemon=True)
    thread.start()
    try:
        yield _drain(waiting)
    finally:
        leaving.set()
        while thread.is_alive():
            with contextlib.suppress(queue.Empty):
                waiting.get(timeout=0.05)
        thread.join()


def _fill(source: Iterable[Item], waiting: queue.Queue[Item | _End[Item]], leaving: threading.Event) -> None:
    error: BaseException | None = None
    try:
        for item in source:
            waiting.put(item)
            if leaving.is_set():
                return
    except BaseException as raised:  # noqa: BLE001 - it crosses the thread and is raised again in the consumer
        error = raised
    waiting.put(_End(error))


def _drain(waiting: queue.Queue[Item | _End[Item]]) -> Iterator[Item]:
    while True:
        item = waiting.get()
        if not isinstance(item, _End):
            yield item
            continue
        if item.error is not None:
            raise item.error
        return
