"""Faults of the fleet on request: no capacity, a task that crashes, a target that is never healthy."""

from __future__ import annotations

import threading
from dataclasses import asdict, dataclass
from typing import Literal

Kind = Literal["capacity", "crash", "unhealthy"]
KINDS: tuple[Kind, ...] = ("capacity", "crash", "unhealthy")


@dataclass(frozen=True)
class FleetFault:
    """``kind`` hits every service or Auto Scaling group whose name contains ``name`` (empty: all)."""

    kind: Kind
    name: str = ""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"a fleet fault is one of {', '.join(KINDS)}, not {self.kind!r}")


class FleetFaults:
    """The faults in force. Thread safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[FleetFault] = []

    def add(self, fault: FleetFault) -> None:
        with self._lock:
            self._faults.append(fault)

    def clear(self) -> None:
        with self._lock:
            self._faults.clear()

    def hits(self, kind: Kind, name: str) -> bool:
        with self._lock:
            return any(fault.kind == kind and fault.name in name for fault in self._faults)

    def listed(self) -> list[dict[str, str]]:
        with self._lock:
            return [asdict(fault) for fault in self._faults]
