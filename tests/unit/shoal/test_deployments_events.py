"""Every change leaves an event with actor, target and reason, written together with the change."""

from __future__ import annotations

from collections.abc import Iterator

import deployment_flow as flow
import pytest
from shoal.deployments import ledger, store
from shoal.errors import ShoalError, StaleWriter
from shoal_local import strict


@pytest.fixture(autouse=True)
def strict_account(account: dict[str, str]) -> Iterator[None]:
    with strict.installed():
        yield


def told(*statuses: str) -> list[tuple[str, str, str]]:
    """(status, actor, target) of the whole history, oldest first; of these statuses only."""
    events = store.events_after("benthic", "", 1000)
    return [(one.status, one.actor, one.target) for one in events if one.status in statuses]


def test_a_life_is_told_from_the_claim_to_the_end() -> None:
    # Given
    spec = flow.spec_of("queue,endpoint")
    payload = flow.begin(spec)
    # When
    flow.make(spec, payload)
    made = [(entry.kind, entry.name) for entry in ledger.entries("benthic")]
    flow.become(payload, "READY")
    payload["generation"] = store.begin_deletion("benthic", "arn:aws:iam::1:user/scientist")
    flow.remove(payload)
    flow.become(payload, "DELETED")
    # Then
    assert [target for _, _, target in told("MADE")] == [f"{kind} {name}" for kind, name in made]
    assert {actor for _, actor, _ in told("MADE")} == set(flow.steps_of(spec))
    assert sorted(target for _, _, target in told("REMOVED")) == sorted(f"{k} {n}" for k, n in made)
    assert {actor for _, actor, _ in told("REMOVED")} == {"deletion"}
    assert told("DEPLOYING", "READY", "DELETING", "DELETED") == [
        ("DEPLOYING", "deployment_status", "deployment"),
        ("READY", "deployment_status", "deployment"),
        ("DELETING", "arn:aws:iam::1:user/scientist", "deployment"),
        ("DELETED", "deployment_status", "deployment"),
    ]


def test_a_refusal_is_told_with_the_words_of_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given
    spec = flow.spec_of()
    payload = flow.begin(spec)
    flow.Fault("CreateCluster", "before").install(monkeypatch)
    # When
    with pytest.raises(ShoalError):
        flow.make(spec, payload)
    # Then
    assert told("REFUSED") == [("REFUSED", "task_cluster", "cluster shoal-dev-benthic")]
    assert "AccessDenied" in store.events("benthic")[0].reason


def test_the_history_is_read_on_from_any_event() -> None:
    # Given
    spec = flow.spec_of()
    flow.make(spec, flow.begin(spec))
    whole = store.events_after("benthic", "", 1000)
    assert list(reversed(whole)) == store.events("benthic", 1000)
    # When / Then
    for number, event in enumerate(whole):
        assert store.events_after("benthic", event.id, 2) == whole[number + 1 : number + 3]
        assert event in store.events_after("benthic", event.time, 1000)


def test_a_stale_writer_says_nothing() -> None:
    # Given
    spec = flow.spec_of()
    payload = flow.begin(spec)
    store.begin_deletion("benthic", "tests")
    # When / Then
    with pytest.raises(StaleWriter):
        store.record_waiting("benthic", payload["generation"], "service_status", "late")
    assert told("WAITING") == []
