"""The account as the marks see it: only what may have changed since the last look is looked at again.

A call changes its own service: one of :data:`_ALONE` nothing else, any other perhaps all the rest (a group
starts instances and registers targets). A read changes at most what its own service shows next.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from faults import snapshot
from faults.snapshot import Line

_ALONE = frozenset({"dynamodb", "sqs", "logs", "cloudwatch"})


@dataclass
class Watch:
    """``without``: fields that no mark shows."""

    without: frozenset[str] = frozenset()
    _lines: dict[str, list[Line]] = field(default_factory=dict)

    def read(self, service: str) -> None:
        """Something of ``service`` was looked at."""
        self._lines.pop(service, None)

    def changed(self, service: str) -> None:
        """Something of ``service`` was changed."""
        if service in _ALONE:
            self._lines.pop(service, None)
        else:
            self._lines = {name: kept for name, kept in self._lines.items() if name in _ALONE}

    def text(self) -> str:
        """The account as :func:`snapshot.canonical` has it."""
        for service in snapshot.services():
            if service not in self._lines:
                self._lines[service] = self._look(service)
        return snapshot.numbered([line for found in self._lines.values() for line in found])

    def _look(self, service: str) -> list[Line]:
        return snapshot.lines(snapshot.of_service(service, events=False), self.without)
