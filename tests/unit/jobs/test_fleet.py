"""How many workers: the policy as a table and under random load, and the reconciler's pass."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rest_world import World, desired, load_app
from shoal import deployments, fleet
from shoal.aws import client
from shoal.contracts.job import tally_key
from shoal.fleet import Limits, Load, decide, scaling
from shoal.fleet.policy import IDLE_SECONDS
from shoal.table import deployment_key, read, write


@pytest.mark.parametrize(
    ("load", "limits", "expected"),
    [
        (Load(0, 0, 0), Limits(4), 0),  # nothing to do
        (Load(1, 0, 0), Limits(4), 1),  # the first video wakes one
        (Load(9, 0, 0), Limits(4), 4),  # a dive wakes all at once
        (Load(5, 0, 1), Limits(4, 1), 4),
        (Load(3, 2, 2), Limits(4), 4),
        (Load(2, 0, 0), Limits(1), 1),
        (Load(0, 6, 6), Limits(4), 6),  # a fleet that was made smaller keeps its busy workers
        (Load(1, 6, 6), Limits(4), 6),
        # the work is hours of footage over the measured speed
        (Load(30, 0, 0, footage_hours=30 * 10 / 3600), Limits(30), 1),  # thirty clips of ten seconds
        (Load(30, 0, 0, footage_hours=30 * 600 / 3600), Limits(30), 20),  # of ten minutes
        (Load(30, 0, 0, footage_hours=30 * 600 / 3600, speed=10), Limits(30), 2),
        (Load(29, 1, 1, footage_hours=29 * 10 / 3600), Limits(30), 1),
        # without a waiting video the idle go after their idle time, the busy never
        (Load(0, 1, 4), Limits(4), 4),
        (Load(0, 1, 4, surplus_seconds=IDLE_SECONDS), Limits(4), 1),
        (Load(0, 0, 4, surplus_seconds=IDLE_SECONDS - 1), Limits(4), 4),
        (Load(0, 0, 4, surplus_seconds=IDLE_SECONDS), Limits(4), 0),
        (Load(0, 0, 4, surplus_seconds=IDLE_SECONDS), Limits(4, 1), 1),  # an endpoint keeps its worker
        (Load(1, 0, 4, surplus_seconds=900), Limits(4), 4),
        # a deadline: as few as will do, more as it comes nearer, all when it has passed
        (Load(8, 0, 0), Limits(8, deadline_hours=4.1), 2),
        (Load(8, 0, 0, waited_hours=2), Limits(8, deadline_hours=4.1), 4),
        (Load(8, 0, 0, waited_hours=9), Limits(8, deadline_hours=4), 8),
        # a budget: what is left pays for starting, working and idling
        (Load(8, 0, 0), Limits(8, budget_usd=3, price=1), 2),
        (Load(8, 0, 0, spent_usd=3), Limits(8, budget_usd=3, price=1), 0),
        (Load(8, 2, 5, spent_usd=3), Limits(8, budget_usd=3, price=1), 2),  # the two are finished
        (Load(8, 0, 1, spent_usd=3), Limits(8, 1, budget_usd=3, price=1), 1),
    ],
)
def test_the_policy(load: Load, limits: Limits, expected: int) -> None:
    assert decide(load, limits).count == expected


@pytest.mark.parametrize(
    ("load", "limits", "word"),
    [
        (Load(9, 0, 0), Limits(4), "the fleet size is 4"),
        (Load(8, 0, 0, spent_usd=3), Limits(8, budget_usd=3, price=1), "stop at 3 USD"),
        (Load(8, 0, 0), Limits(8, deadline_hours=4), "due in 4.00 hours"),
        (Load(0, 0, 1), Limits(1), "have their idle time"),
    ],
)
def test_the_policy_says_why(load: Load, limits: Limits, word: str) -> None:
    assert word in decide(load, limits).reason


counts, hours = st.integers(0, 200), st.floats(0, 1000)
loads = st.builds(
    Load, counts, counts, counts, footage_hours=st.none() | hours, speed=st.floats(0.01, 100),
    waited_hours=hours, surplus_seconds=st.floats(0, 1000), spent_usd=hours,
)  # fmt: skip
limits = st.builds(
    Limits, st.integers(1, 100), st.integers(0, 1), deadline_hours=st.none() | hours,
    budget_usd=st.none() | hours, price=st.floats(0, 50),
)  # fmt: skip


@given(loads, limits)
def test_the_policy_never_stops_work_and_never_outgrows_the_fleet(load: Load, limit: Limits) -> None:
    count = decide(load, limit).count
    most = max(load.current, limit.fleet_size)
    assert min(max(load.in_flight, limit.minimum), most) <= count <= most
    if load.visible and limit.budget_usd is None:
        assert count >= max(1, min(load.current, most))
    if load.visible == 0:
        assert count <= max(load.current, min(max(load.in_flight, limit.minimum), most))


@given(loads, limits, st.integers(1, 50))
def test_more_waiting_videos_never_mean_fewer_workers(load: Load, limit: Limits, more: int) -> None:
    limit = replace(limit, budget_usd=None)  # more work may well outgrow a budget
    if load.visible:
        longer = (
            None if load.footage_hours is None else load.footage_hours * (load.visible + more) / load.visible
        )
        fuller = replace(load, visible=load.visible + more, footage_hours=longer)
        assert decide(fuller, limit).count >= decide(load, limit).count


@given(loads, limits)
def test_a_budget_never_adds_a_worker(load: Load, limit: Limits) -> None:
    assert decide(load, limit).count <= decide(load, replace(limit, budget_usd=None)).count


@given(loads, limits)
def test_a_faster_model_never_needs_more_workers(load: Load, limit: Limits) -> None:
    unlimited = replace(limit, budget_usd=None)
    assert decide(replace(load, speed=load.speed * 2), unlimited).count <= decide(load, unlimited).count


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
    assert answer == {"deployments": 2, "failed": 0, "reaped": 0}
    assert (desired("waiting"), desired("idle")) == (1, 3)
    # When the idle minute is over
    make_older("idle")
    fleet.reconcile()
    # Then
    assert (desired("waiting"), desired("idle")) == (1, 1)


def make_older(name: str) -> None:
    """What the last pass noticed, it noticed a minute earlier."""
    key = {"pk": deployment_key(name), "sk": "FLEET"}
    since = datetime.fromisoformat((read(key) or {})["surplus_since"]) - timedelta(minutes=1)
    write({"Put": {"Item": key | {"surplus_since": since.isoformat()}}})


@pytest.mark.parametrize(
    ("tally", "expected"),
    [
        ({}, 4),  # nothing is known: an hour each
        ({"succeeded": 10, "footage_seconds": 100, "work_seconds": 50}, 1),  # clips of ten seconds
        ({"succeeded": 1, "footage_seconds": 3600, "work_seconds": 360}, 2),  # ten times as fast as they play
    ],
)
def test_the_measured_speed_decides(world: World, tally: dict[str, int], expected: int) -> None:
    # Given
    url = world.ready("reef", fleet_size=9)
    if tally:
        key = tally_key("reef")
        write({"Put": {"Item": key | tally | {"finished_at": "2026-01-01T00:00:00+00:00"}}})
    for _ in range(4):
        client("sqs").send_message(QueueUrl=url, MessageBody="{}")
    # When
    fleet.reconcile()
    # Then
    assert desired("reef") == expected


def test_the_idle_time_is_counted_from_the_last_video(world: World) -> None:
    # Given a worker whose last video ended long ago, which this pass is the first to see
    world.ready("reef")
    client("ecs").update_service(cluster="shoal-dev-reef", service="shoal-dev-reef", desiredCount=1)
    write({"Put": {"Item": tally_key("reef") | {"finished_at": "2026-01-01T00:00:00+00:00"}}})
    # When
    fleet.reconcile()
    # Then
    assert desired("reef") == 0


def test_videos_that_sqs_does_not_show_yet_keep_their_workers(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a submission whose messages the queue does not count yet
    world.ready("reef")
    write({"Put": {"Item": tally_key("reef") | {"finished_at": "2026-01-01T00:00:00+00:00"}}})
    fleet.apply(deployments.get("reef"), just_sent=2)
    # When
    fleet.reconcile()
    # Then
    assert desired("reef") == 2


def test_a_submission_in_the_middle_of_a_pass_is_not_undone(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given an idle fleet, and a pass that decides to let it go
    world.ready("reef")
    client("ecs").update_service(cluster="shoal-dev-reef", service="shoal-dev-reef", desiredCount=1)
    write({"Put": {"Item": tally_key("reef") | {"finished_at": "2026-01-01T00:00:00+00:00"}}})
    decide_now = scaling.decide

    def meanwhile(*given: Any) -> Any:
        monkeypatch.setattr(scaling, "decide", decide_now)
        fleet.apply(deployments.get("reef"), just_sent=1)
        return decide_now(*given)

    monkeypatch.setattr(scaling, "decide", meanwhile)
    # When
    fleet.reconcile()
    # Then
    assert desired("reef") == 1


def test_a_new_video_ends_the_idle_minute(world: World) -> None:
    # Given a surplus that was noticed
    url = world.ready("reef")
    client("ecs").update_service(cluster="shoal-dev-reef", service="shoal-dev-reef", desiredCount=2)
    fleet.reconcile()
    make_older("reef")
    # When a video comes and goes
    message = client("sqs").send_message(QueueUrl=url, MessageBody="{}")
    fleet.reconcile()
    client("sqs").purge_queue(QueueUrl=url)
    fleet.reconcile()
    # Then the minute begins anew
    assert message
    assert desired("reef") == 2


def test_one_broken_deployment_does_not_keep_the_others_waiting(world: World) -> None:
    # Given
    broken, waiting = world.ready("broken"), world.ready("waiting")
    client("sqs").delete_queue(QueueUrl=broken)
    client("sqs").send_message(QueueUrl=waiting, MessageBody="{}")
    # When
    answer = fleet.reconcile()
    # Then
    assert answer == {"deployments": 2, "failed": 1, "reaped": 0}
    assert desired("waiting") == 1
