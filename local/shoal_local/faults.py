"""Faults on request: AWS calls that fail with a given code, and a fleet that cannot do its part."""

from __future__ import annotations

import threading
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from shoal_local.fleet.faults import Kind


@dataclass
class Fault:
    """``operation`` of ``service`` (botocore's names) answers ``code`` with ``status``, ``times`` times."""

    service: str
    operation: str
    code: str
    status: int = 400
    message: str = "injected by the embedded cloud"
    times: int = 1


class Faults:
    """``fleet`` holds the faults of instances and tasks; the rest is about calls."""

    def __init__(self) -> None:
        from shoal_local.fleet.faults import FleetFaults

        self.fleet = FleetFaults()
        self._lock = threading.Lock()
        self._faults: list[Fault] = []

    def add(self, fault: Fault) -> None:
        with self._lock:
            self._faults.append(fault)

    def set(self, name: str, kind: Kind) -> None:
        """``capacity``, ``crash`` or ``unhealthy`` for services and groups with ``name`` in their name."""
        from shoal_local.fleet.faults import FleetFault

        self.fleet.add(FleetFault(kind, name))

    def clear(self) -> None:
        self.fleet.clear()
        with self._lock:
            self._faults.clear()

    def active(self) -> bool:
        return bool(self._faults)

    def take(self, service: str, operation: str) -> Fault | None:
        """The fault that hits this call, one of its times used up; None for a call that is left alone."""
        with self._lock:
            for fault in self._faults:
                if (fault.service, fault.operation) != (service, operation):
                    continue
                fault.times -= 1
                if fault.times <= 0:
                    self._faults.remove(fault)
                return fault
        return None

    def listed(self) -> list[dict[str, Any]]:
        with self._lock:
            return [*(asdict(fault) for fault in self._faults), *self.fleet.listed()]
