"""The two minutes' notice of a Spot instance: told by its metadata and by EventBridge, and who is on Spot."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest
from shoal_local.fleet import spot
from shoal_local.strict.mixed_instances import on_demand_of

TOKEN, ACTION = "latest/api/token", "latest/meta-data/spot/instance-action"


@pytest.fixture
def machines(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Instances by id, and the events that were sent as ``events``."""
    found: dict[str, Any] = {"events": []}
    ec2 = SimpleNamespace(get_instance_by_id=found.get)
    monkeypatch.setattr(spot, "backend", lambda _: ec2)
    monkeypatch.setattr(spot, "emit", found["events"].append)
    return found


def machine(lifecycle: str | None = "spot", state: str = "running") -> Any:
    return SimpleNamespace(lifecycle=lifecycle, state=state)


def asked(notices: spot.Notices, path: str = ACTION, instance: str = "i-1") -> tuple[int, str]:
    """With a token, as version 2 of the metadata service wants it."""
    status, token = notices.metadata(f"{instance}/{TOKEN}", "PUT", "")
    assert status == 200
    return notices.metadata(f"{instance}/{path}", "GET", token)


def test_the_metadata_and_eventbridge_tell_of_the_notice(machines: dict[str, Any]) -> None:
    # Given
    machines["i-1"], notices = machine(), spot.Notices()
    assert asked(notices) == (404, "")
    # When
    notices.give("i-1", 0.0)
    # Then
    status, text = asked(notices)
    assert (status, json.loads(text)["action"]) == (200, "terminate")
    (event,) = machines["events"]
    assert event["detail-type"] == "EC2 Spot Instance Interruption Warning"
    assert event["detail"] == {"instance-id": "i-1", "instance-action": "terminate"}


def test_the_metadata_answers_its_own_instance_with_a_token_only(machines: dict[str, Any]) -> None:
    machines["i-1"], notices = machine(), spot.Notices()
    notices.give("i-1", 0.0)
    assert notices.metadata(f"i-1/{ACTION}", "GET", "")[0] == 401
    assert asked(notices, instance="i-2")[0] == 404
    assert asked(notices, "latest/meta-data/spot/termination-time")[0] == 404


@pytest.mark.parametrize("there", [None, machine(lifecycle=None), machine(state="terminated")])
def test_only_a_running_spot_instance_is_taken_back(machines: dict[str, Any], there: Any) -> None:
    machines["i-1"] = there
    with pytest.raises(LookupError, match="no running Spot instance"):
        spot.Notices().give("i-1", 0.0)
    assert machines["events"] == []


def group(base: int, share: int, count: int) -> Any:
    distribution = {"OnDemandBaseCapacity": base, "OnDemandPercentageAboveBaseCapacity": share}
    states = [SimpleNamespace(instance=machine(lifecycle=None)) for _ in range(count)]
    policy = {"InstancesDistribution": distribution}
    return SimpleNamespace(instance_states=states, mixed_instances_policy=policy)


@pytest.mark.parametrize(
    ("base", "share", "count", "expected"),
    [(0, 0, 2, 0), (1, 0, 3, 1), (5, 0, 3, 3), (0, 100, 3, 3), (1, 50, 4, 3)],
)
def test_the_base_and_a_share_above_it_are_on_demand(
    base: int, share: int, count: int, expected: int
) -> None:
    assert on_demand_of(group(base, share, count), count) == expected


def test_an_instance_stays_what_it_was_bought_as() -> None:
    # Given a group that grew from one instance, which was its base
    made = group(1, 0, 1)
    spot.mark(made)
    # When
    made.instance_states += group(1, 0, 2).instance_states
    spot.mark(made)
    # Then
    assert [one.instance.lifecycle for one in made.instance_states] == [None, "spot", "spot"]


def test_without_a_policy_nothing_is_on_spot() -> None:
    made = group(0, 0, 2)
    made.mixed_instances_policy = None
    spot.mark(made)
    assert [one.instance.lifecycle for one in made.instance_states] == [None, None]
