"""Requests and executions side by side, one running at a time, each AWS call a point where another may go on.

Preemption-bounded as in CHESS (Musuvathi and others, OSDI 2008): without preemption a thread runs until it
ends or waits; a schedule names the points where it is taken off, and who goes on.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from faults.kinds import FunctionDied

Schedule = tuple[tuple[int, int], ...]
"""(point, rank among the others that could run) of each preemption, in order."""
_STUCK_SECONDS = 100
"""So long without the processor being used: a machine that is busy or stands still is no deadlock."""
_IDLE = 0.01
"""Processor seconds within a second that looking itself may take."""
FUNCTION_SECONDS = 60
"""The Timeout of a step's function in template.yaml."""


@dataclass
class Thread:
    work: Callable[[], None]
    turn: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    over: bool = False
    stalled_at: float | None = None
    error: BaseException | None = None


@dataclass
class Scheduler:
    """``choices``: for each point of the run, how many others could have gone on; ``now``: virtual time."""

    schedule: Schedule = ()
    now: Callable[[], float] = time.monotonic
    choices: list[int] = field(default_factory=list)
    _threads: list[Thread] = field(default_factory=list)
    _current: Thread | None = None
    _done: threading.Event = field(default_factory=threading.Event)

    def spawn(self, work: Callable[[], None]) -> None:
        """A further thread; it runs when the one that runs ends, waits or is taken off."""
        thread = Thread(work)
        self._threads.append(thread)
        threading.Thread(target=self._run, args=(thread,), daemon=True).start()

    def run(self) -> None:
        """Everything to its end.

        Raises:
            AssertionError: a thread raised, or they are stuck.
        """
        self._go(self._threads[0])
        self._ended()
        for thread in self._threads:
            if thread.error:
                raise AssertionError(f"a thread ended with {thread.error!r}") from thread.error

    def _ended(self) -> None:
        idle, used = 0, time.process_time()
        while not self._done.wait(1):
            now = time.process_time()
            idle, used = (idle + 1 if now - used < _IDLE else 0), now
            if idle >= _STUCK_SECONDS:
                raise AssertionError("the threads are stuck")

    def point(self) -> None:
        """The running thread is about to call AWS."""
        if self._current is None:
            return
        others = self._alive()
        self.choices.append(len(others))
        rank = dict(self.schedule).get(len(self.choices) - 1)
        if rank is not None and others:
            self._stall(others[rank % len(others)])

    def wait(self) -> None:
        """The running thread waits for time to pass: whoever else can run goes first."""
        others = self._others()
        if self._current is not None and others:
            self._switch(others[0])

    def _stall(self, other: Thread) -> None:
        """Taken off until nobody else can run; a function that stood longer than its timeout is dead."""
        me = self._current
        assert me is not None
        me.stalled_at = stalled = self.now()
        self._switch(other)
        me.stalled_at = None
        if self.now() - stalled > FUNCTION_SECONDS:
            raise FunctionDied("it timed out while others ran")

    def _alive(self) -> list[Thread]:
        """The others that have not ended, beginning behind the running one."""
        if self._current is None:
            return []
        at = self._threads.index(self._current)
        return [one for one in self._threads[at + 1 :] + self._threads[:at] if not one.over]

    def _others(self) -> list[Thread]:
        """Those of them that were not taken off; where the running one has ended, whoever is left."""
        alive = self._alive()
        awake = [one for one in alive if one.stalled_at is None]
        return awake or (alive if self._current is not None and self._current.over else [])

    def _switch(self, other: Thread) -> None:
        me = self._current
        assert me is not None
        self._go(other)
        me.turn.acquire()

    def _go(self, thread: Thread) -> None:
        self._current = thread
        thread.turn.release()

    def _run(self, thread: Thread) -> None:
        thread.turn.acquire()
        try:
            thread.work()
        except BaseException as error:  # noqa: BLE001 - told by run()
            thread.error = error
        thread.over = True
        others = self._others()
        if others:
            self._go(others[0])
        else:
            self._current = None
            self._done.set()


def one_preemption(choices: list[int]) -> list[Schedule]:
    """Every schedule with one preemption of a run with these choices."""
    return [((point, rank),) for point, others in enumerate(choices) for rank in range(others)]
