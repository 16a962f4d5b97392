"""Listener ports, claimed before a listener is made (see :mod:`shoal.resources.claims`).

A port is ``foreign`` while a listener that is not ours holds it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping

from shoal.errors import NoCapacity
from shoal.resources import balancer
from shoal.resources.claims import FOREIGN, Claims
from shoal.settings import settings

_PORTS = Claims("PORT")


def owned(deployment: str) -> list[int]:
    """The ports a deployment holds, lowest first; more than one only after a retry that overlapped."""
    return sorted(port for port, owner in _owners().items() if owner == deployment)


def claim(deployment: str, generation: int) -> int:
    """The port of this deployment: the one it holds, or else the lowest free one.

    Raises:
        NoCapacity: every port is taken.
        StaleWriter: a newer generation owns the deployment.
    """
    owners = _owners()
    held = sorted(port for port, owner in owners.items() if owner == deployment)
    if held:
        return held[0]
    for port in itertools.chain(_free(owners), _abandoned(owners)):
        if _PORTS.take(str(port), deployment, generation):
            return port
    raise NoCapacity(_exhausted(owners))


def mark_foreign(port: int, deployment: str, generation: int) -> None:
    """Give up a port because somebody else's listener holds it."""
    _PORTS.mark_foreign(str(port), deployment, generation)


def release(port: int, deployment: str) -> None:
    """Free a port, unless somebody else holds it by now."""
    _PORTS.release(str(port), deployment)


def _owners() -> dict[int, str]:
    return {int(port): owner for port, owner in _PORTS.owners().items()}


def _free(owners: Mapping[int, str]) -> Iterator[int]:
    return (port for port in settings().ports() if port not in owners)


def _abandoned(owners: Mapping[int, str]) -> Iterator[int]:
    """Ports marked foreign whose listener is gone; AWS is asked only when nothing else is free."""
    marked = [port for port in settings().ports() if owners.get(port) == FOREIGN]
    present = {int(listener["Port"]) for listener in balancer.listeners()} if marked else set()
    yield from (port for port in marked if port not in present)


def _exhausted(owners: Mapping[int, str]) -> str:
    ports = settings().ports()
    foreign = sorted(port for port in ports if owners.get(port) == FOREIGN)
    return (
        f"every port of {ports.start}-{ports.stop - 1} is taken ({len(foreign)} by foreign listeners: "
        f"{foreign}): {balancer.other_routing()}, delete a deployment, or widen ListenerPorts"
    )
