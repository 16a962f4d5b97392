"""A block of loopback ports of our own, for the load balancer's listeners."""

from __future__ import annotations

import socket

from shoal_local.errors import LocalCloudError
from shoal_local.names import HOST

_FIRST = 5001
_COUNT = 50
_PRIVILEGED = (443, 80)
_BLOCK = _COUNT + len(_PRIVILEGED)
_LAST = 32_000


class NoPorts(LocalCloudError):
    """Every block is taken."""

    code = "no-ports"


class PortBlock:
    """Fifty neighbouring ports that no other cloud on this machine takes, and two in place of 443 and 80.

    The port behind the block is held open as its flag: two clouds that start at once never share a block.
    """

    def __init__(self) -> None:
        self._flag, self.first = _take()
        self.last = self.first + _COUNT - 1

    def __str__(self) -> str:
        return f"{self.first}-{self.last}"

    def stand_ins(self) -> dict[int, int]:
        """What answers in place of the ports that only root may listen on, and that other clouds want too."""
        return {port: self.last + 1 + n for n, port in enumerate(_PRIVILEGED)}

    def stop(self) -> None:
        """Give the block back."""
        self._flag.close()


def _take() -> tuple[socket.socket, int]:
    for first in range(_FIRST, _LAST, _BLOCK + 1):
        flag = socket.socket()
        try:
            flag.bind((HOST, first + _BLOCK))
            flag.listen(1)
        except OSError:
            flag.close()
            continue
        if all(is_free(port) for port in range(first, first + _BLOCK)):
            return flag, first
        flag.close()
    raise NoPorts(f"no {_COUNT} neighbouring ports are free on {HOST}: stop what listens there")


def is_free(port: int) -> bool:
    """Whether nothing listens on ``port`` here."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True
