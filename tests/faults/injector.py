"""Every AWS call of this process passes here, below botocore's retries and above moto.

moto answers each request in ``BotocoreStubber.__call__``; faults are put in front of it or behind it. The
attempts of one call are tied together by the SDK's own ``amz-sdk-invocation-id``.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

from faults import kinds
from faults.kinds import Answer, FunctionDied
from faults.plans import Fault

_VARYING = re.compile(rb"<(RequestId|requestId|RequestID)>[^<]*</")
Forward = Callable[[], Answer]


@dataclass
class Call:
    """One logical call (all its attempts): ``key`` is equal for equal requests."""

    name: str
    number: int
    key: tuple[str, str, bytes]
    reads: bool
    attempts: int = 0
    refused: bool = False

    @property
    def service(self) -> str:
        return self.name.partition(".")[0]


@dataclass
class Injector:
    """``faults`` to inject while ``active``; ``before`` is told of each call ahead of its first attempt."""

    faults: list[Fault] = field(default_factory=list)
    active: bool = False
    before: Callable[[Call], None] | None = None
    reached: Callable[[Call], None] = lambda _: None
    """Told of each attempt that reaches moto."""
    calls: list[Call] = field(default_factory=list)
    hits: Counter[str] = field(default_factory=Counter)
    changed_a_view: bool = False
    repeated_unseen: bool = False
    """The one fault was an attempt without effect, and the SDK's next attempt of the same call succeeded."""
    _counts: Counter[str] = field(default_factory=Counter)
    _open: dict[str, Call] = field(default_factory=dict)
    _seen: dict[tuple[str, str, bytes], Answer] = field(default_factory=dict)
    _slow: dict[tuple[str, str, bytes], tuple[Answer, float]] = field(default_factory=dict)
    now: Callable[[], float] = time.monotonic

    def begin(self, faults: list[Fault]) -> None:
        """Count calls from here and inject ``faults``."""
        self.faults, self.active = list(faults), True
        self.calls, self.hits, self._counts = [], Counter(), Counter()
        self.changed_a_view = self.repeated_unseen = False

    def end(self) -> None:
        """Lift every fault."""
        self.active = False
        self._slow.clear()

    @property
    def views_pending(self) -> bool:
        """Some read would still be behind."""
        return any(self.now() < until for _, until in self._slow.values())

    def answer(self, name: str, request: Any, forward: Forward) -> Answer:
        """What the caller gets; ``forward`` asks moto."""
        call = self._call(name, request)
        call.attempts += 1
        if self.active and call.attempts == 1 and self.before:
            self.before(call)
        fault = next((one for one in self.faults if self._meets(one, call)), None) if self.active else None
        if fault is None:
            found = self._slowed(call) or self._truly(call, forward)
            self.repeated_unseen |= call.refused and found[0] < 500
            return found
        call.refused = kinds.split(fault.kind)[0] in kinds.REFUSALS and call.attempts == 1
        return self._faulty(fault, call, forward)

    def _call(self, name: str, request: Any) -> Call:
        invocation = _text(request.headers.get("amz-sdk-invocation-id", ""))
        if invocation and invocation in self._open:
            return self._open[invocation]
        self._counts[name] += 1
        body = request.body or b""
        key = (name, request.url, body if isinstance(body, bytes) else str(body).encode())
        call = Call(name, self._counts[name], key, _is_eventual_read(name, key[2]))
        self._open[invocation] = call
        if self.active:
            self.calls.append(call)
        return call

    def _meets(self, fault: Fault, call: Call) -> bool:
        if fault.call != call.name:
            return False
        lasting = kinds.split(fault.kind)[1]
        if lasting == kinds.LASTING:
            return call.number >= fault.number
        return call.number == fault.number and (lasting == kinds.CALL or call.attempts == 1)

    def _truly(self, call: Call, forward: Forward) -> Answer:
        found = forward()
        self.reached(call)
        if call.reads:
            self._seen[call.key] = found
        return found

    def _faulty(self, fault: Fault, call: Call, forward: Forward) -> Answer:
        from botocore.exceptions import ConnectTimeoutError, ReadTimeoutError

        kind = kinds.split(fault.kind)[0]
        self.hits[str(fault)] += 1
        if kind in {"throttle", "denied", "5xx"}:
            refuse = {"throttle": kinds.throttled, "denied": kinds.denied, "5xx": kinds.broken}[kind]
            return refuse(call.service)
        if kind == "connect":
            raise ConnectTimeoutError(endpoint_url=call.key[1])
        if kind == "crash-before":
            raise FunctionDied(str(fault))
        if kind in kinds.VIEWS:
            return self._viewed(kind, call, forward)
        self._truly(call, forward)
        if kind == "crash-after":
            raise FunctionDied(str(fault))
        if kind == "lost":
            raise ReadTimeoutError(endpoint_url=call.key[1])
        return kinds.broken(call.service)

    def _viewed(self, kind: str, call: Call, forward: Forward) -> Answer:
        """The answer that the same read got before; the true one where it is the first."""
        before = self._seen.get(call.key)
        truth = self._truly(call, forward)
        if before is None or _same(before, truth):
            return truth
        self.changed_a_view = True
        if kind == "slow":
            self._slow[call.key] = (before, self.now() + kinds.SLOW_SECONDS)
        return before

    def _slowed(self, call: Call) -> Answer | None:
        answer, until = self._slow.get(call.key, (None, 0.0))
        return answer if self.now() < until else None


@contextmanager
def injecting(injector: Injector) -> Iterator[Injector]:
    """Every call of the process goes through ``injector`` for the length of a ``with``."""
    from botocore.awsrequest import AWSResponse
    from moto.core.botocore_stubber import BotocoreStubber, MockRawResponse

    original = BotocoreStubber.__call__

    def stub(stubber: Any, event_name: str, request: Any, **_: Any) -> Any:
        if not stubber.enabled:
            return None
        _, service, operation = event_name.split(".")
        name = f"{kinds.SERVICES.get(service, service)}.{operation}"
        status, headers, body = injector.answer(name, request, lambda: _asked(stubber, request))
        return AWSResponse(request.url, status, headers, MockRawResponse(body))

    BotocoreStubber.__call__ = stub
    try:
        yield injector
    finally:
        BotocoreStubber.__call__ = original


def _asked(stubber: Any, request: Any) -> Answer:
    if hasattr(request.body, "seek"):
        request.body.seek(0)
    status, headers, body = stubber.process_request(request)
    content = body.read() if isinstance(body, BytesIO) else body
    return int(status), dict(headers), content if isinstance(content, bytes) else str(content).encode()


def _is_eventual_read(name: str, body: bytes) -> bool:
    """A read that may be behind; DynamoDB's strongly consistent ones never are."""
    return kinds.is_read(name.partition(".")[2]) and b'"ConsistentRead": true' not in body


def _same(one: Answer, other: Answer) -> bool:
    return one[0] == other[0] and _VARYING.sub(b"", one[2]) == _VARYING.sub(b"", other[2])


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
