"""How many workers: the policy as a table and under random load, and the reconciler's pass."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rest_world import World, desired, load_app
from shoal import fleet
from shoal.aws import client
from shoal.fleet import desired_count


@pytest.mark.parametrize(
    ("visible", "in_flight", "current", "fleet_size", "minimum", "expected"),
    [
        (0, 0, 0, 4, 0, 0),  # nothing to do
        (1, 0, 0, 4, 0, 1),  # the first video wakes one
        (9, 0, 0, 4, 0, 4),  # a dive wakes all at once
        (0, 1, 4, 4, 0, 4),  # one is busy: ECS must not choose which one stops
        (0, 0, 4, 4, 0, 0),  # the fleet disperses
        (0, 0, 4, 4, 1, 1),  # but an endpoint keeps its worker
        (5, 0, 1, 4, 1, 4),
        (3, 2, 2, 4, 0, 4),
        (0, 6, 6, 4, 0, 6),  # a fleet that was made smaller keeps its busy workers
        (2, 0, 0, 1, 0, 1),
    ],
)
def test_desired_count(
    visible: int, in_flight: int, current: int, fleet_size: int, minimum: int, expected: int
) -> None:
    assert (
        desired_count(
            visible=visible, in_flight=in_flight, current=current, fleet_size=fleet_size, minimum=minimum
        )
        == expected
    )


counts = st.integers(0, 200)


@given(counts, counts, counts, st.integers(1, 100), st.integers(0, 1))
def test_the_policy_never_stops_work_and_never_outgrows_the_fleet(
    visible: int, in_flight: int, current: int, fleet_size: int, minimum: int
) -> None:
    wanted = desired_count(
        visible=visible, in_flight=in_flight, current=current, fleet_size=fleet_size, minimum=minimum
    )
    assert wanted >= minimum
    assert wanted >= min(in_flight, max(current, fleet_size))
    assert wanted <= max(current, fleet_size)
    if visible + in_flight:
        assert wanted >= max(current, 1)
    else:
        assert wanted == minimum


def test_the_reconciler_wakes_and_disperses(world: World) -> None:
    # Given one deployment with forgotten videos, one idle with workers, one that is not READY
    waiting, idle = world.ready("waiting"), world.ready("idle", serves=("queue", "endpoint"))
    client("sqs").send_message(QueueUrl=waiting, MessageBody="{}")
    client("ecs").update_service(cluster="shoal-dev-idle", service="shoal-dev-idle", desiredCount=3)
    world.ready("leaving")
    world.call("DELETE", "/deploy/leaving")
    assert idle
    # When
    answer = load_app("fleet_reconciler").lambda_handler({}, None)
    # Then
    assert answer == {"deployments": 2, "failed": 0}
    assert (desired("waiting"), desired("idle")) == (1, 1)


def test_one_broken_deployment_does_not_keep_the_others_waiting(world: World) -> None:
    # Given
    broken, waiting = world.ready("broken"), world.ready("waiting")
    client("sqs").delete_queue(QueueUrl=broken)
    client("sqs").send_message(QueueUrl=waiting, MessageBody="{}")
    # When
    answer = fleet.reconcile()
    # Then
    assert answer == {"deployments": 2, "failed": 1}
    assert desired("waiting") == 1
