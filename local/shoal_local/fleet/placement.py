"""What a task needs, what an instance has, and which instance a task goes to. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Resources:
    """CPU units (1024 a vCPU), memory in MiB, whole GPUs."""

    cpu: int = 0
    memory: int = 0
    gpus: int = 0

    def __add__(self, other: Resources) -> Resources:
        return Resources(self.cpu + other.cpu, self.memory + other.memory, self.gpus + other.gpus)

    def __sub__(self, other: Resources) -> Resources:
        return Resources(self.cpu - other.cpu, self.memory - other.memory, self.gpus - other.gpus)

    def holds(self, other: Resources) -> bool:
        return self.cpu >= other.cpu and self.memory >= other.memory and self.gpus >= other.gpus

    def lacks(self, other: Resources) -> str:
        """Which resource is short, as ECS's events name it."""
        if self.gpus < other.gpus:
            return "GPU"
        return "MEMORY" if self.memory < other.memory else "CPU"


AGENT_MEMORY_MIB = 650
"""What the kernel, the agent and ECS_RESERVED_MEMORY keep: a g4dn.xlarge registers less than 16384."""


def needs_of(definition: Any) -> Resources:
    """What a definition asks for: task level first, else the containers' sum (ECS API TaskDefinition)."""
    containers = definition.container_definitions
    total = sum((_container(container, definition) for container in containers), Resources())
    return Resources(
        int(definition.cpu) if definition.cpu else total.cpu,
        int(definition.memory) if definition.memory else total.memory,
        total.gpus,
    )


def _container(container: Mapping[str, Any], definition: Any) -> Resources:
    needed = [
        r["value"] for r in container.get("resourceRequirements", []) if r["type"] == "GPU" and "value" in r
    ]
    gpus = sum(1 if value == "ALL" else int(value) for value in needed)
    memory = container.get("memory") or container.get("memoryReservation") or 0
    return Resources(int(container.get("cpu") or 0), 0 if definition.memory else int(memory), gpus)


def offered_by(instance_type: Mapping[str, Any]) -> Resources:
    """What an instance registers, from EC2's DescribeInstanceTypes."""
    gpus = sum(int(gpu["Count"]) for gpu in (instance_type.get("GpuInfo") or {}).get("Gpus", []))
    cpu = int(instance_type["VCpuInfo"]["DefaultVCpus"]) * 1024
    return Resources(cpu, int(instance_type["MemoryInfo"]["SizeInMiB"]) - AGENT_MEMORY_MIB, gpus)


def place(need: Resources, free: Mapping[str, Resources]) -> str | None:
    """The fullest instance that still holds the task (binpack), or None; ties by name."""
    fitting = [(left.gpus, left.memory, left.cpu, name) for name, left in free.items() if left.holds(need)]
    return min(fitting)[-1] if fitting else None


def instances_for(needs: Sequence[Resources], offered: Resources) -> int:
    """How many more empty instances these tasks fill, first fit decreasing; tasks that never fit count for
    none.

    ECS guide, "Managed scaling behavior": tasks that do not fit the instance type remain PENDING for ever.
    """
    bins: list[Resources] = []
    for need in sorted(needs, key=lambda n: (n.gpus, n.memory, n.cpu), reverse=True):
        if not offered.holds(need):
            continue
        index = next((i for i, left in enumerate(bins) if left.holds(need)), None)
        if index is None:
            bins.append(offered - need)
        else:
            bins[index] = bins[index] - need
    return len(bins)


def left_over(needs: Iterable[Resources], free: Mapping[str, Resources]) -> list[Resources]:
    """The tasks that find no place on what is there, in order."""
    remaining, waiting = dict(free), []
    for need in needs:
        where = place(need, remaining)
        if where is None:
            waiting.append(need)
        else:
            remaining[where] = remaining[where] - need
    return waiting
