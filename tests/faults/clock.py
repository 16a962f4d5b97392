"""Virtual time: what the state machines wait for passes at once, and the product's own clocks show it."""

from __future__ import annotations

import sys
import time as real_time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, tzinfo
from types import SimpleNamespace
from typing import Any

import pytest


class VirtualClock:
    """``passed`` virtual seconds on top of the real ones; ``ticked`` is told of every wait."""

    def __init__(self) -> None:
        self.passed = 0.0
        self.ticked: Callable[[], None] = lambda: None

    def wait(self, seconds: float) -> None:
        """A Wait or a Retry of a state machine."""
        self.sleep(seconds)
        self.ticked()

    def sleep(self, seconds: float) -> None:
        self.passed += max(0.0, float(seconds))

    def monotonic(self) -> float:
        return real_time.monotonic() + self.passed

    def now(self, zone: tzinfo | None = None) -> datetime:
        return datetime.now(zone) + timedelta(seconds=self.passed)


@contextmanager
def virtual_time() -> Iterator[VirtualClock]:
    """The clock of shoal, of the SDK's pauses, of SQS, of the strict rules and of the state machines."""
    import botocore.endpoint
    import moto.core.utils
    from moto.sqs.models import Queue
    from shoal_local.strict import messages

    clock = VirtualClock()

    class Datetime(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Any:
            return clock.now(tz)

    with pytest.MonkeyPatch.context() as patched:
        for name, module in list(sys.modules.items()):
            if name.split(".")[0] == "shoal" and getattr(module, "datetime", None) is datetime:
                patched.setattr(module, "datetime", Datetime)
        patched.setattr(botocore.endpoint, "time", SimpleNamespace(sleep=clock.sleep, time=real_time.time))
        patched.setattr(messages, "time", SimpleNamespace(monotonic=clock.monotonic))
        # a long poll of an empty queue
        patched.setattr(Queue, "wait_for_messages", lambda _, timeout: clock.sleep(timeout))
        patched.setattr(moto.core.utils, "utcnow", lambda: clock.now(UTC).replace(tzinfo=None))
        yield clock
