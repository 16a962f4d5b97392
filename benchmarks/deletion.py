"""Deleting a READY deployment: passes until empty, AWS calls, and how long it takes on the fast clock.

The real state machines and functions run in one process on moto, in virtual time (see docs/campaign.md): the
fast clock shows what the state machine waits between passes. What AWS itself needs (draining, terminating) is
simulated as two reads that still show the passing state.
Run: ``PYTHONPATH=tests .venv/bin/python benchmarks/deletion.py``.
"""

from __future__ import annotations

import os
import platform
import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

from faults.cases import status_of
from faults.forks import forked
from faults.scenarios import NAME
from faults.world import World, specification, world

SHAPES: dict[str, dict[str, Any]] = {
    "queue and endpoint, EC2 GPU": {},
    "queue, EC2 GPU": {"serves": ["queue"]},
    "queue and endpoint, Fargate CPU": {"compute": "fargate-cpu"},
}


@dataclass(frozen=True)
class Measured:
    passes: int
    calls: int
    by_service: dict[str, int]
    virtual_seconds: float
    processor_seconds: float


def measure(made: World, shape: dict[str, Any]) -> Measured:
    """One deployment, deployed and then deleted; only the deletion is counted."""
    made.ask("POST", "/deploy", specification(NAME, **shape))
    if status_of(NAME) != "READY":
        raise AssertionError(f"it is {status_of(NAME)}")
    made.settle()
    began, started = made.clock.passed, time.process_time()
    made.machines.begin()
    made.injector.begin([])
    made.ask("DELETE", f"/deploy/{NAME}")
    made.injector.end()
    if status_of(NAME) != "DELETED":
        raise AssertionError(f"it is {status_of(NAME)}")
    services = Counter(call.service for call in made.injector.calls)
    return Measured(
        passes=made.machines.invoked.count("deletion"),
        calls=len(made.injector.calls),
        by_service=dict(services.most_common()),
        virtual_seconds=made.clock.passed - began,
        processor_seconds=time.process_time() - started,
    )


def main() -> None:
    print(f"{platform.platform()}, Python {platform.python_version()}, {os.cpu_count()} cores\n")
    print("| deployment | passes | AWS calls | of them DynamoDB | on the fast clock, s | processor, s |")
    print("|---|---:|---:|---:|---:|---:|")
    with world() as made:
        for title, shape in SHAPES.items():
            one: Measured = forked(lambda shape=shape: measure(made, shape))
            print(
                f"| {title} | {one.passes} | {one.calls} | {one.by_service['dynamodb']} "
                f"| {one.virtual_seconds:.0f} | {one.processor_seconds:.2f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
