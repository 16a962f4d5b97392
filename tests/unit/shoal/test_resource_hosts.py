"""Host names and rule priorities on the shared listener: claimed once, foreign rules left alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import deployment_flow as flow
import pytest
from shoal.aws import client
from shoal.contracts.status import Absence
from shoal.deployments import ledger, store
from shoal.errors import Conflict, Denied, NoCapacity, Retryable, StaleWriter
from shoal.resources import BY_KIND, balancer, hosts, priorities
from shoal.resources.kind import Context, Entry
from shoal.settings import settings
from shoal_local import strict

HOST = flow.BY_HOST["host_name"]


@pytest.fixture(autouse=True)
def strict_account(account: dict[str, str]) -> Iterator[None]:
    """An account whose balancer has an HTTPS listener."""
    with strict.installed():
        yield


def generation_of(name: str) -> int:
    return store.claim(flow.spec_of("endpoint", name=name, **flow.BY_HOST), "tests").generation


def context_of(name: str = "benthic", host: str = HOST) -> Context:
    """A claimed deployment with its host name and its target group."""
    spec = flow.spec_of("endpoint", name=name, routing="host", host_name=host)
    made: dict[str, Entry] = {}
    context = Context("dev", name, spec, 1, store.claim(spec, "tests").generation, made)
    for kind in ("host_claim", "target_group"):
        arn = BY_KIND[kind].make(context).arn
        made[kind] = Entry(kind=kind, order=BY_KIND[kind].order, name=name, revision=1, arn=arn)
    return context


def foreign_rule(priority: int, *patterns: str, path: str = "") -> str:
    conditions: list[dict[str, Any]] = [{"Field": "host-header", "HostHeaderConfig": {"Values": [*patterns]}}]
    if path:
        conditions.append({"Field": "path-pattern", "PathPatternConfig": {"Values": [path]}})
    answer = client("elbv2").create_rule(
        ListenerArn=settings().https_listener_arn,
        Priority=priority,
        Conditions=conditions,
        Actions=[{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}],
    )
    return str(answer["Rules"][0]["RuleArn"])


def test_a_host_name_has_one_owner_until_it_is_released() -> None:
    # Given
    first, second = generation_of("abc"), generation_of("bcd")
    hosts.claim(HOST, "abc", first)
    # When / Then
    hosts.claim(HOST, "abc", first)
    for refused in (lambda: hosts.claim(HOST, "bcd", second), lambda: hosts.check(HOST, "bcd")):
        with pytest.raises(Conflict, match="belongs to abc") as broken:
            refused()
        assert broken.value.errors[0]["field"] == "host_name"
    hosts.release(HOST, "bcd")  # not the owner: nothing happens
    assert (hosts.owned("abc"), hosts.owned("bcd")) == ([HOST], [])
    # When
    hosts.release(HOST, "abc")
    hosts.claim(HOST, "bcd", second)
    # Then
    assert hosts.owned("bcd") == [HOST]


def test_a_race_for_one_host_name_has_one_winner(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given: both look before either writes
    generations = [generation_of(name) for name in ("abc", "bcd")]
    monkeypatch.setattr(hosts.Claims, "owner", lambda *_: None)
    hosts.claim(HOST, "abc", generations[0])
    # When / Then
    with pytest.raises(Conflict, match="another deployment"):
        hosts.claim(HOST, "bcd", generations[1])
    assert hosts.owned("abc") == [HOST]


def test_a_stale_writer_claims_no_host_name() -> None:
    generation = generation_of("abc")
    store.begin_deletion("abc", "tests")
    with pytest.raises(StaleWriter):
        hosts.claim(HOST, "abc", generation)
    assert hosts.owned("abc") == []


@pytest.mark.parametrize(
    ("foreign", "expected"), [((), "1"), ((1,), "2"), ((1, 2), "3"), ((2,), "1"), ((50_000,), "1")]
)
def test_the_lowest_priority_that_no_rule_holds_is_taken(foreign: tuple[int, ...], expected: str) -> None:
    # Given
    theirs = {foreign_rule(priority, f"site{priority}.example.org") for priority in foreign}
    # When
    made = BY_KIND["host_rule"].make(context_of())
    # Then
    assert made.extra == {"host": HOST, "priority": expected}
    assert theirs <= {rule["RuleArn"] for rule in balancer.rules()}


def test_a_priority_lost_to_a_foreign_rule_is_marked_and_walked_around(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Given: the rules were listed before somebody made theirs
    context = context_of()
    foreign_rule(1, "site.example.org")
    monkeypatch.setattr(balancer, "rules", list)
    # When
    made = BY_KIND["host_rule"].make(context)
    # Then
    assert made.extra["priority"] == "2"
    assert (priorities.owned("foreign"), priorities.owned("benthic")) == ([1], [2])


def test_a_rule_that_the_list_does_not_show_yet_is_adopted(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given: the answer of the first call was lost, and the rules are read from before it
    context, rule, read = context_of(), BY_KIND["host_rule"], balancer.rules
    first = rule.make(context)
    stale = [[], []]
    monkeypatch.setattr(balancer, "rules", lambda: stale.pop() if stale else read())
    # When / Then
    assert rule.make(context) == first
    assert len(read()) == 1
    assert priorities.owned("foreign") == []


def test_a_ready_endpoint_is_found_at_its_host_name() -> None:
    # Given
    spec = flow.spec_of("endpoint", **flow.BY_HOST)
    payload = flow.begin(spec)
    flow.make(spec, payload)
    # When
    flow.become(payload, "READY")
    # Then
    assert store.get("benthic").endpoint == f"https://{HOST}"


def test_priorities_that_are_always_lost_are_tried_again_later(monkeypatch: pytest.MonkeyPatch) -> None:
    context = context_of()
    monkeypatch.setattr(BY_KIND["host_rule"], "_create", lambda *_: None)
    with pytest.raises(Retryable, match="try again"):
        BY_KIND["host_rule"].make(context)
    assert len(priorities.owned("foreign")) == 10


def test_released_priorities_and_host_names_are_used_again() -> None:
    # Given
    first, rule, claim = context_of(), BY_KIND["host_rule"], BY_KIND["host_claim"]
    made = rule.make(first)
    entry = Entry(kind="host_rule", order=35, name="benthic", revision=1, arn=made.arn)
    # When
    rule.unmake(entry, first)
    claim.unmake(first.made["host_claim"], first)
    # Then
    assert claim.observe(first) is None
    assert rule.make(context_of("abyssal")).extra == made.extra


@pytest.mark.parametrize(
    ("priority", "patterns", "path", "refused"),
    [
        (1, (HOST,), "", True),
        (50_000, (HOST,), "", True),  # we would take its requests
        (1, (HOST.upper(),), "", True),
        (1, ("*.example.org",), "", True),  # it would take ours
        (1, ("other.example.org", "*.models.example.org"), "", True),
        (50_000, ("*.example.org",), "", False),
        (1, ("*.example.com",), "", False),
        (1, (HOST,), "/admin/*", False),
    ],
)
def test_a_foreign_rule_for_our_host_name_is_named(
    priority: int, patterns: tuple[str, ...], path: str, refused: bool
) -> None:
    # Given
    theirs, context = foreign_rule(priority, *patterns, path=path), context_of()
    # When / Then
    if refused:
        with pytest.raises(Conflict, match=f"rule {priority} of the shared listener, which is not ours"):
            BY_KIND["host_rule"].make(context)
    else:
        BY_KIND["host_rule"].make(context)
    assert theirs in {rule["RuleArn"] for rule in balancer.rules()}


def test_the_second_deployment_of_a_host_name_fails_and_leaves_the_first() -> None:
    # Given
    first, second = (flow.spec_of("endpoint", name=name, **flow.BY_HOST) for name in ("abc", "bcd"))
    flow.make(first, flow.begin(first))
    before, payload = flow.resources(), flow.begin(second)
    # When
    with pytest.raises(Conflict, match="belongs to abc"):
        flow.make(second, payload)
    flow.become(payload, "ROLLING_BACK")
    flow.remove(payload, "rollback")
    # Then
    assert flow.resources() == before
    assert (hosts.owned("abc"), hosts.owned("bcd")) == ([HOST], [])
    assert {"host_rule", "host_claim"} <= {entry.kind for entry in ledger.entries("abc")}


def test_at_the_last_rule_the_error_proposes_a_port(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given
    monkeypatch.setattr("shoal_local.strict.elbv2_rules.MAXIMUM_RULES", 2)
    foreign_rule(7, "site.example.org")
    # When / Then: the last one fits
    BY_KIND["host_rule"].make(context_of("abc", "abc.example.org"))
    with pytest.raises(NoCapacity, match=r"as many rules as AWS allows.*routing: port"):
        BY_KIND["host_rule"].make(context_of("bcd", "bcd.example.org"))


@pytest.mark.parametrize("kind", ["host_rule", "listener"])
def test_at_the_last_target_group_neither_routing_is_proposed(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given
    monkeypatch.setattr("shoal_local.strict.elbv2_rules.MAXIMUM_GROUPS", 1)
    BY_KIND[kind].make(context_of("abc", "abc.example.org"))
    # When / Then
    with pytest.raises(NoCapacity, match="as many target groups as AWS allows") as full:
        BY_KIND[kind].make(context_of("bcd", "bcd.example.org"))
    assert "routing" not in full.value.detail


def test_what_is_gone_meanwhile_hides_no_other_tags() -> None:
    # Given
    made = BY_KIND["host_rule"].make(context_of())
    gone = foreign_rule(9, "site.example.org")
    client("elbv2").delete_rule(RuleArn=gone)
    # When / Then
    assert set(balancer.tags_of([gone, made.arn])) == {made.arn}


def test_a_system_without_the_listener_has_no_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_LISTENER_ARN", "")
    settings.cache_clear()
    assert BY_KIND["host_rule"].observe(context_of()) is None


@pytest.mark.parametrize("gone", [True, False])
@pytest.mark.parametrize(("kind", "operation"), [("listener", "DeleteListener"), ("host_rule", "DeleteRule")])
def test_a_denied_deletion_of_what_is_gone_is_no_failure(
    kind: str, operation: str, gone: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The condition on its tag cannot hold for what somebody else has deleted."""
    # Given
    context = context_of()
    made = BY_KIND[kind].make(context)
    entry = Entry(kind=kind, order=1, name="benthic", revision=1, arn=made.arn)
    if gone:
        BY_KIND[kind].unmake(entry, context)
    flow.Fault(operation, "before").install(monkeypatch)
    # When / Then
    if gone:
        assert BY_KIND[kind].unmake(entry, context).absence is Absence.GONE
    else:
        with pytest.raises(Denied):
            BY_KIND[kind].unmake(entry, context)


@pytest.mark.parametrize("kind", ["listener", "host_rule"])
def test_the_pass_that_confirms_asks_by_arn_and_deletes_what_came_back(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given
    context = context_of()
    made = BY_KIND[kind].make(context)
    entry = Entry(kind=kind, order=1, name="benthic", revision=1, arn=made.arn, gone=True)
    calls = flow.Fault("none", "before").install(monkeypatch).called
    # When
    answers = [BY_KIND[kind].unmake(entry, context).absence for _ in range(2)]
    # Then: it was there after all, and is deleted once
    assert answers == [Absence.GONE] * 2
    assert sum(call.startswith("Delete") for call in calls) == 1
    assert BY_KIND[kind].observe(context) is None
