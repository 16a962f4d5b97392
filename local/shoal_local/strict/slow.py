"""What AWS does later: a resource keeps its passing state for some reads, then reaches the last one.

reliability: "everything async (DRAINING, deleting, provisioning)"; moto is instant.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

_ATTRIBUTE = "shoal_pending"


@dataclass
class Pace:
    """``reads``: how many describes still show the passing state. ``speed``: the clock's. ``holds``: while
    any says True, nothing settles."""

    reads: int = 1
    speed: float = 1.0
    holds: list[Callable[[Any], bool]] = field(default_factory=list)


@dataclass
class _Pending:
    left: int
    settle: Callable[[], None]


PACE = Pace()


def later(resource: Any, settle: Callable[[], None]) -> None:
    """Let ``resource`` reach its last state, by ``settle``, after :attr:`Pace.reads` reads and when
    nothing holds it."""
    setattr(resource, _ATTRIBUTE, _Pending(PACE.reads, settle))


def pending(resource: Any) -> bool:
    return getattr(resource, _ATTRIBUTE, None) is not None


def observed(resource: Any) -> None:
    """One read of ``resource``; the read that follows the last passing one settles it first."""
    waiting: _Pending | None = getattr(resource, _ATTRIBUTE, None)
    if waiting is None or any(hold(resource) for hold in PACE.holds):
        return
    if waiting.left > 0:
        waiting.left -= 1
        return
    setattr(resource, _ATTRIBUTE, None)
    waiting.settle()
