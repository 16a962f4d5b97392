"""What a left resource costs: a small, dated table, so that a report needs neither a call nor a permission.

On-demand list prices of us-west-2, Linux: instances from SkyPilot's catalog of AWS's price list (v9), read on
2026-11-21; Fargate, EBS and CloudWatch as AWS publishes them. Other regions differ by some percent.
"""

from __future__ import annotations

from collections.abc import Iterable

from shoal.resources import tagged

READ_ON = "2026-11-21"
REGION = "us-west-2"
_HOURS_PER_MONTH = 730

_INSTANCE_USD_PER_HOUR = {
    "g4dn.xlarge": 0.526,
    "g4dn.2xlarge": 0.752,
    "g5.xlarge": 1.006,
    "g5.2xlarge": 1.212,
    "g6.xlarge": 0.8048,
    "g6.2xlarge": 0.9776,
    "g6e.xlarge": 1.861,
    "g6e.2xlarge": 2.242,
}
_FARGATE_USD_PER_VCPU_HOUR = 0.04048
_FARGATE_USD_PER_GIB_HOUR = 0.004445
_GP3_USD_PER_GIB_MONTH = 0.08
_USD_PER_MONTH = {"alarm": 0.10, "dashboard": 3.00}
"""By AWS's sort of thing; what is not here bills by use or not at all while nobody uses it."""

_UNITS_PER_VCPU = 1024
_MIB_PER_GIB = 1024


def instance(instance_type: str) -> float | None:
    """USD an hour of a running instance; None for a type that is not in the table."""
    return _INSTANCE_USD_PER_HOUR.get(instance_type)


def dearest(instance_types: Iterable[str]) -> float | None:
    """USD an hour of the dearest of some types; None where one is not in the table."""
    found = [instance(one) for one in instance_types]
    return None if None in found else max(one for one in found if one is not None)


def fargate_task(cpu_units: int, memory_mib: int) -> float:
    """USD an hour of a running task."""
    vcpu, gib = cpu_units / _UNITS_PER_VCPU, memory_mib / _MIB_PER_GIB
    return round(vcpu * _FARGATE_USD_PER_VCPU_HOUR + gib * _FARGATE_USD_PER_GIB_HOUR, 5)


def volume(gib: int) -> float:
    """USD an hour of a gp3 volume, attached or not."""
    return round(gib * _GP3_USD_PER_GIB_MONTH / _HOURS_PER_MONTH, 5)


def resource(kind: str) -> float:
    """USD an hour of a kind that bills by the month; 0 for what is free or billed by use."""
    return round(_USD_PER_MONTH.get(tagged.sort_of(kind), 0.0) / _HOURS_PER_MONTH, 5)
