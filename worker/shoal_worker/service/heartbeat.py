"""Keeps a message hidden while its video is worked on, and notices a video that hangs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import TracebackType

from shoal_worker.service.errors import Transient
from shoal_worker.service.logs import logger
from shoal_worker.service.video_queue import VISIBILITY_SECONDS, Delivery, NoLongerOurs, VideoQueue

INTERVAL_SECONDS = 100.0
IN_FLIGHT_CAP_SECONDS = 12 * 3600 - 600
"""SQS counts 12 hours from the receive and refuses to go past them; ten minutes are left for the end."""

HUNG_SECONDS = 120.0
"""How long after its deadline a video may still be inside one native call."""

_LAST_BEAT_SECONDS = 2.0


class Heartbeat:
    """A context: a thread extends the visibility every ``interval`` seconds until it is left."""

    def __init__(
        self,
        queue: VideoQueue,
        delivery: Delivery,
        deadline: float,
        on_hung: Callable[[], None],
        interval: float = INTERVAL_SECONDS,
        now: Callable[[], float] = time.monotonic,
        holds: Callable[[], bool] = lambda: True,
        on_lost: Callable[[], None] = lambda: None,
    ) -> None:
        self._queue, self._delivery, self._deadline = queue, delivery, deadline
        self._on_hung, self._interval, self._now = on_hung, interval, now
        self._holds, self._on_lost = holds, on_lost
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)
        self.lost = False

    def __enter__(self) -> Heartbeat:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        # A beat under way could hide a message again that is released after this.
        if self._thread is not threading.current_thread():
            self._thread.join(_LAST_BEAT_SECONDS)

    def _run(self) -> None:
        while not self._done.wait(self._interval):
            self.beat()

    def beat(self) -> None:
        """One heartbeat: extend what may be extended, and look at the deadline."""
        if self._now() > self._deadline + HUNG_SECONDS:
            self._on_hung()
        seconds = self.next_extension()
        if seconds <= 0 or self.lost:
            return
        try:
            self._queue.extend(self._delivery, seconds)
            if not self._holds():
                self._lose("the job was cancelled, or a newer attempt has it")
        except NoLongerOurs:
            self._lose(f"message {self._delivery.message_id} is no longer ours")
        except Transient as error:
            logger().warning("heartbeat failed, the next one is due: %s", error.reason)

    def _lose(self, why: str) -> None:
        """Another worker may have the video now: what we still do to it is in vain."""
        self.lost = True
        logger().warning("the attempt is abandoned: %s", why)
        self._on_lost()

    def next_extension(self) -> int:
        """Seconds to ask for now: 300, less where the 12 hours would be passed, 0 where they are spent."""
        left = self._delivery.received_at + IN_FLIGHT_CAP_SECONDS - self._now()
        return max(0, min(VISIBILITY_SECONDS, int(left)))
