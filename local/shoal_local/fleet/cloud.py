"""What the fleet needs of the embedded cloud."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any, Protocol

from shoal_local.clock import Clock
from shoal_local.faults import Faults
from shoal_local.names import HOST
from shoal_local.ports import is_free


class CloudFace(Protocol):
    """See :class:`shoal_local.cloud.Cloud`."""

    endpoint_url: str
    clock: Clock
    faults: Faults

    @property
    def stand_ins(self) -> Mapping[int, int]:
        """Ports of load balancers to the ports of this machine that answer in their place."""

    def client(self, service: str) -> Any:
        """A boto3 client with the administrator's rights."""

    def credentials_for_role(self, role_arn: str, session: str) -> dict[str, str]:
        """A role's keys as AWS_* variables; LookupError without such a role."""


FIRST_PORT, END_OF_PORTS = 5001, 32768
"""Ports for servers: from 32768 up the kernel gives them to outgoing connections, at any moment."""


def free_port() -> int:
    """A port of 127.0.0.1 that was free a moment ago, and that no outgoing connection will be given.

    Raises:
        OSError: none was free among many.
    """
    for _ in range(200):
        port = random.randrange(10_000, END_OF_PORTS)  # noqa: S311 (spread, not secret)
        if is_free(port):
            return port
    raise OSError(f"no port is free on {HOST}: stop what listens there")


def free_port_block(count: int = 50) -> tuple[int, int]:
    """The first and last of ``count`` neighbouring ports of 127.0.0.1, all free a moment ago; from 5001 up.

    Raises:
        OSError: there is no such block below 32768, where the kernel's own choice begins.
    """
    first = FIRST_PORT
    while first + count <= END_OF_PORTS:
        taken = next((port for port in range(first, first + count) if not is_free(port)), None)
        if taken is None:
            return first, first + count - 1
        first = taken + 1
    raise OSError(f"no {count} neighbouring ports are free on {HOST}: stop what listens there")
