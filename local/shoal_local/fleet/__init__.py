"""The fleet of the embedded cloud: ECS tasks as real processes, instances, managed scaling, load balancers.

Simulated: instances, GPUs, containers (a task is a process of this machine, no image, no network of its own).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from shoal_local.fleet.cloud import CloudFace, free_port_block
from shoal_local.fleet.image import DEFAULT_ENTRYPOINT
from shoal_local.fleet.times import FleetTimes

if TYPE_CHECKING:
    from shoal_local.fleet.engine import Fleet

__all__ = ["FleetTimes", "free_port_block", "start"]


def start(
    cloud: CloudFace, entrypoint: Sequence[str] = DEFAULT_ENTRYPOINT, times: FleetTimes | None = None
) -> Fleet:
    """Bring ECS services and load balancers to life; ``.stop()`` ends every process and thread.

    Args:
        cloud: see :class:`~shoal_local.fleet.cloud.CloudFace`.
        entrypoint: what stands in for the image's ENTRYPOINT.
        times: how long boots and the like take, on the cloud's clock.
    """
    from shoal_local.fleet.engine import Fleet

    fleet = Fleet(cloud, entrypoint, times)
    fleet.start()
    return fleet
