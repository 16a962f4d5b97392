"""Placement, managed scaling, rolling updates and the circuit breaker, without an account."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from shoal_local.fleet.placement import Resources, instances_for, left_over, needs_of, offered_by, place
from shoal_local.fleet.rollout import Counts, Moves, backoff, breaker_threshold, moves
from shoal_local.fleet.scaling import GroupState, desired_instances

SMALL, LARGE = Resources(1024, 2048, 1), Resources(4096, 15734, 1)


def definition(*containers: dict[str, Any], cpu: str | None = None, memory: str | None = None) -> Any:
    return SimpleNamespace(container_definitions=list(containers), cpu=cpu, memory=memory)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (definition({"memory": 512}), Resources(0, 512, 0)),
        (definition({"cpu": 256, "memoryReservation": 128}, {"memory": 64}), Resources(256, 192, 0)),
        (definition({"memory": 512}, cpu="1024", memory="2048"), Resources(1024, 2048, 0)),
        (
            definition({"memory": 1, "resourceRequirements": [{"type": "GPU", "value": "2"}]}),
            Resources(0, 1, 2),
        ),
    ],
)
def test_a_task_needs_what_its_definition_says(given: Any, expected: Resources) -> None:
    assert needs_of(given) == expected


def test_an_instance_keeps_memory_for_its_agent() -> None:
    kind = {
        "VCpuInfo": {"DefaultVCpus": 4},
        "MemoryInfo": {"SizeInMiB": 16384},
        "GpuInfo": {"Gpus": [{"Count": 1}]},
    }
    offered = offered_by(kind)
    assert (offered.cpu, offered.gpus) == (4096, 1)
    assert offered.memory < 16384


@pytest.mark.parametrize(
    ("free", "expected"),
    [
        ({}, None),
        ({"a": Resources(512, 4096, 1)}, None),
        ({"a": LARGE, "b": SMALL}, "b"),
        ({"a": LARGE, "b": LARGE}, "a"),
        ({"a": Resources(4096, 8192, 0), "b": LARGE}, "b"),
    ],
    ids=["no instance", "too little CPU", "the fullest that fits", "ties by name", "needs a GPU"],
)
def test_a_task_goes_to_the_fullest_instance_that_holds_it(
    free: dict[str, Resources], expected: str | None
) -> None:
    assert place(SMALL, free) == expected


@pytest.mark.parametrize(
    ("short", "expected"),
    [
        (Resources(0, 0, 0), "GPU"),
        (Resources(0, 0, 1), "MEMORY"),
        (Resources(0, 4096, 1), "CPU"),
    ],
)
def test_what_is_short_has_a_name(short: Resources, expected: str) -> None:
    assert short.lacks(SMALL) == expected


@pytest.mark.parametrize(
    ("needs", "expected"),
    [
        ([], 0),
        ([SMALL], 1),
        ([SMALL, SMALL], 2),
        ([Resources(1024, 1024, 0)] * 4, 1),
        ([Resources(1024, 1024, 0)] * 5, 2),
        ([Resources(0, 99999, 0)], 0),
    ],
    ids=["none", "one GPU", "one GPU each", "four share", "five do not", "never fits"],
)
def test_waiting_tasks_fill_instances(needs: list[Resources], expected: int) -> None:
    assert instances_for(needs, LARGE) == expected


def test_only_tasks_without_a_place_are_left_over() -> None:
    assert left_over([SMALL, SMALL], {"a": LARGE}) == [SMALL]


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (GroupState(0, 4, 0, 0, needed=2, waiting_for=60), 2),
        (GroupState(0, 4, 0, 0, needed=2, waiting_for=10), 0),
        (GroupState(0, 1, 0, 0, needed=2, waiting_for=60), 1),
        (GroupState(0, 4, 3, 1, needed=1, waiting_for=60), 3),
        (GroupState(0, 4, 2, 1, idle_for=(899,)), 2),
        (GroupState(0, 4, 2, 1, idle_for=(900,)), 1),
        (GroupState(2, 4, 2, 0, idle_for=(900, 900)), 2),
        (GroupState(0, 4, 3, 1, idle_for=(900,), needed=1, waiting_for=60), 3),
    ],
    ids=[
        "out",
        "not yet",
        "up to Max",
        "enough",
        "not yet in",
        "in",
        "down to Min",
        "not in while tasks wait",
    ],
)
def test_managed_scaling_follows_the_tasks(state: GroupState, expected: int) -> None:
    assert desired_instances(state, scaling_delay=30, idle_scale_in=900) == expected


def breaker(**threshold: Any) -> dict[str, Any]:
    configured = {"thresholdConfiguration": threshold} if threshold else {}
    return {"deploymentCircuitBreaker": {"enable": True, "rollback": False, **configured}}


@pytest.mark.parametrize(
    ("desired", "configuration", "expected"),
    [
        (1, None, None),
        (1, {"deploymentCircuitBreaker": {"enable": False}}, None),
        (1, breaker(), 3),
        (10, breaker(), 5),
        (1000, breaker(), 200),
        (1, breaker(type="COUNT", value=2), 2),
        (4, breaker(type="UNBOUNDED_PERCENT", value=25), 1),
    ],
)
def test_the_breaker_opens_after_that_many_failures(
    desired: int, configuration: dict[str, Any] | None, expected: int | None
) -> None:
    assert breaker_threshold(desired, configuration) == expected


def test_pauses_between_failing_tasks_double_up_to_a_quarter_of_an_hour() -> None:
    assert [backoff(failures, 10, 900) for failures in (0, 1, 2, 3, 4, 99)] == [0, 0, 10, 20, 40, 900]


@pytest.mark.parametrize(
    ("counts", "percents", "expected"),
    [
        (Counts(2, 0, 0, 0), (100, 200), Moves(start=2)),
        (Counts(1, 1, 0, 1), (100, 200), Moves()),
        (Counts(1, 3, 0, 3), (100, 200), Moves(stop_primary=2)),
        (Counts(1, 0, 1, 1, 1), (100, 200), Moves(start=1)),
        (Counts(1, 1, 1, 1, 1), (100, 200), Moves()),
        (Counts(1, 1, 1, 2, 1), (100, 200), Moves(stop_older=1)),
        (Counts(1, 0, 1, 0, 0), (100, 200), Moves(start=1, stop_older=1)),
        (Counts(1, 0, 1, 1, 1), (0, 100), Moves(stop_older=1)),
        (Counts(1, 0, 1, 1, 1), (100, 100), Moves()),
        (Counts(4, 0, 4, 4, 4), (50, 100), Moves(stop_older=2)),
        (Counts(0, 1, 1, 2, 1), (100, 200), Moves(stop_primary=1, stop_older=1)),
    ],
    ids=[
        "from nothing", "steady", "scale in", "the new first", "not before it is healthy", "then the old",
        "the sick at once", "the old first", "100/100 is stuck",
        "half at a time", "down to nothing",
    ],
)  # fmt: skip
def test_a_rolling_update_keeps_its_percents(
    counts: Counts, percents: tuple[int, int], expected: Moves
) -> None:
    least, most = percents
    assert moves(counts, {"minimumHealthyPercent": least, "maximumPercent": most}) == expected
