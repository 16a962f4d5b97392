"""The claim, the transition table and the fence."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from shoal import table
from shoal.contracts.deployment import Adjustment, DeploymentSpec
from shoal.contracts.status import DeploymentStatus as S
from shoal.deployments import store
from shoal.errors import Conflict, NotFound, StaleWriter

pytestmark = pytest.mark.usefixtures("tables")


def spec(name: str = "benthic", **fields: object) -> DeploymentSpec:
    return DeploymentSpec.model_validate(
        {"name": name, "model_location": "s3://shoal-models/m.onnx", "serves": ["queue"]} | fields
    )


def at_status(*path: S) -> int:
    generation = store.claim(spec(), "tests").generation
    for status in path:
        store.transition("benthic", generation, status, "tests", f"now {status}")
    return generation


def test_a_claim_is_kept_as_it_was_given() -> None:
    # Given
    adjusted = Adjustment(field="root_volume_gib", given="10", used="30", reason="the AMI needs 30")
    # When
    taken = store.claim(spec(timeout_hours=1.5, notify=["a@example.org"]), "someone", [adjusted])
    # Then
    found = store.get("benthic")
    assert (taken.revision, taken.generation, taken.created) == (1, 1, True)
    assert found.spec == spec(timeout_hours=1.5, notify=["a@example.org"])
    assert found.adjustments == [adjusted]
    assert (found.status, found.endpoint) == (S.ACCEPTED, None)
    assert [(event.actor, event.status) for event in store.events("benthic")] == [("someone", "ACCEPTED")]


@pytest.mark.parametrize(
    ("path", "other", "outcome"),
    [
        ([], False, 1),  # the same request again
        ([S.DEPLOYING], False, 1),
        ([S.DEPLOYING, S.READY], False, 1),  # a repeated POST changes nothing
        ([], True, None),  # another body while it is being deployed
        ([S.DEPLOYING, S.READY], True, 2),  # an update
        ([S.DEPLOYING, S.READY, S.UPDATING], False, 1),
        ([S.DEPLOYING, S.READY, S.UPDATING], True, None),
        ([S.DEPLOYING, S.READY, S.UPDATING, S.UPDATE_ROLLING_BACK], False, None),
        ([S.DEPLOYING, S.READY, S.UPDATING, S.UPDATE_ROLLING_BACK, S.UPDATE_ROLLBACK_FAILED], False, 2),
        ([S.DEPLOYING, S.READY, S.STOPPING, S.STOPPED], False, 1),
        ([S.DEPLOYING, S.ROLLING_BACK], False, None),
        ([S.DELETING], False, None),
        ([S.DELETING, S.DELETE_INCOMPLETE], False, None),
        ([S.DEPLOYING, S.ROLLING_BACK, S.ROLLBACK_FAILED], False, None),
        ([S.DEPLOYING, S.ROLLING_BACK, S.FAILED], False, 2),  # a failed one may be tried again
        ([S.DELETING, S.DELETED], True, 2),
    ],
)
def test_who_may_claim_a_name(path: list[S], other: bool, outcome: int | None) -> None:
    # Given
    at_status(*path)
    wanted = spec(fleet_size=7) if other else spec()
    # When / Then
    if outcome is None:
        with pytest.raises(Conflict, match=r"DELETE /deploy/benthic|wait until it is DELETED"):
            store.claim(wanted, "tests")
        return
    taken = store.claim(wanted, "tests")
    assert (taken.revision, taken.created) == (outcome, outcome == 2)


def test_claims_at_once_have_one_winner() -> None:
    # Given / When
    with ThreadPoolExecutor(4) as pool:
        taken = list(pool.map(lambda _: store.claim(spec(), "tests"), range(8)))
    # Then
    assert sum(one.created for one in taken) == 1
    assert {(one.revision, one.generation) for one in taken} == {(1, 1)}


def test_every_change_of_status_follows_the_table() -> None:
    for later in S:
        # Given
        name = later.lower().replace("_", "-")
        taken = store.claim(spec(name), "tests")
        # When / Then
        if later is S.ACCEPTED or S.ACCEPTED.can_become(later):
            assert store.transition(name, taken.generation, later, "tests") is later
        else:
            with pytest.raises(Conflict, match="cannot become"):
                store.transition(name, taken.generation, later, "tests")


def test_a_repeated_transition_changes_nothing_and_keeps_the_reason() -> None:
    # Given
    generation = at_status(S.DEPLOYING, S.ROLLING_BACK)
    # When
    store.transition("benthic", generation, S.FAILED, "tests")
    store.transition("benthic", generation, S.FAILED, "tests", "another reason")
    # Then
    assert store.get("benthic").reason == "now ROLLING_BACK"
    assert len(store.events("benthic")) == 4


def test_facts_are_written_and_taken_away() -> None:
    generation = at_status(S.DEPLOYING)
    store.transition("benthic", generation, S.READY, "tests", endpoint="http://a:5001", queue_url="q")
    assert store.get("benthic").endpoint == "http://a:5001"
    generation = store.begin_deletion("benthic", "tests")
    store.transition("benthic", generation, S.DELETED, "tests", endpoint=None)
    assert (store.get("benthic").endpoint, store.get("benthic").queue_url) == (None, "q")


def test_a_deletion_fences_the_deployment_off() -> None:
    # Given
    old = at_status(S.DEPLOYING)
    # When
    new = store.begin_deletion("benthic", "someone")
    # Then
    assert new == old + 1
    for late in (
        lambda: store.transition("benthic", old, S.READY, "tests"),
        lambda: store.record_execution("benthic", old, "arn"),
        lambda: table.write_fenced("benthic", old, table.event("benthic", "late", "READY", "")),
        lambda: store.at("benthic", 1, old),
    ):
        with pytest.raises(StaleWriter):
            late()
    assert store.get("benthic").status is S.DELETING


def test_a_repeated_deletion_is_the_same_one_unless_asked_again() -> None:
    at_status(S.DEPLOYING)
    first = store.begin_deletion("benthic", "someone")
    assert store.begin_deletion("benthic", "someone") == first
    assert store.begin_deletion("benthic", "someone", again=True) == first + 1


@pytest.mark.parametrize("path", [None, [S.DELETING, S.DELETED]])
def test_nothing_to_delete(path: list[S] | None) -> None:
    if path:
        at_status(*path)
    with pytest.raises(NotFound):
        store.begin_deletion("benthic", "tests")


def test_listing_walks_page_by_page() -> None:
    # Given
    for name in ("abc", "bcd", "cde"):
        store.claim(spec(name), "tests")
    # When
    first, after = store.list_deployments(limit=2)
    second, end = store.list_deployments(limit=2, after=after)
    # Then
    assert [one.name for one in first + second] == ["abc", "bcd", "cde"]
    assert (after, end) == ("bcd", None)


def test_what_never_was_is_not_found() -> None:
    assert store.find("nothing") is None
    with pytest.raises(NotFound, match="GET /deploy"):
        store.get("nothing")
