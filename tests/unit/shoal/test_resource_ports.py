"""Ports are claimed by a conditional write; a foreign listener is walked around."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import deployment_flow as flow
import pytest
from shoal.aws import client
from shoal.deployments import store
from shoal.errors import NoCapacity, StaleWriter
from shoal.resources import BY_KIND, ports
from shoal.resources.kind import Context, Entry
from shoal.settings import settings
from shoal_local import strict

NAMES = ["abc", "bcd", "cde", "def"]


@pytest.fixture(autouse=True)
def strict_account(account: dict[str, str]) -> Iterator[None]:
    """An account whose balancer has the ports 5001 to 5003."""
    with strict.installed():
        yield


def claimed(name: str) -> int:
    return ports.claim(name, store.claim(flow.spec_of("endpoint", name=name), "tests").generation)


def context_of(name: str) -> Context:
    """A claimed deployment with its target group."""
    spec = flow.spec_of("endpoint", name=name)
    made: dict[str, Entry] = {}
    context = Context("dev", name, spec, 1, store.claim(spec, "tests").generation, made)
    arn = BY_KIND["target_group"].make(context).arn
    made["target_group"] = Entry(kind="target_group", order=20, name=name, revision=1, arn=arn)
    return context


def foreign_listener(port: int) -> str:
    answer = client("elbv2").create_listener(
        LoadBalancerArn=settings().load_balancer_arn,
        Protocol="HTTP",
        Port=port,
        DefaultActions=[{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}],
    )
    return str(answer["Listeners"][0]["ListenerArn"])


def test_each_deployment_gets_a_port_of_its_own() -> None:
    # Given / When
    with ThreadPoolExecutor(3) as pool:
        taken = list(pool.map(claimed, NAMES[:3]))
    # Then
    assert sorted(taken) == [5001, 5002, 5003]
    with pytest.raises(NoCapacity, match=r"routing: host.*delete a deployment, or widen ListenerPorts"):
        claimed(NAMES[3])


def test_a_foreign_mark_ends_with_its_listener() -> None:
    # Given: every port was found foreign, and one listener has gone since
    generation = store.claim(flow.spec_of("endpoint", name="abc"), "tests").generation
    for port in (5001, 5002, 5003):
        foreign_listener(port)
        ports.mark_foreign(port, "abc", generation)
    with pytest.raises(NoCapacity, match="3 by foreign listeners"):
        claimed("abc")
    present = client("elbv2").describe_listeners(LoadBalancerArn=settings().load_balancer_arn)["Listeners"]
    gone = next(listener for listener in present if listener["Port"] == 5002)
    client("elbv2").delete_listener(ListenerArn=gone["ListenerArn"])
    # When / Then
    assert claimed("abc") == 5002


@pytest.mark.parametrize(
    ("https", "advice"), [(True, "deploy with routing: host"), (False, "set the stack's CertificateArn")]
)
def test_at_the_50th_listener_the_error_proposes_the_other_routing(
    https: bool, advice: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given 48 listeners of others beside the shared one
    for port in range(6001, 6049):
        foreign_listener(port)
    if not https:
        monkeypatch.setenv("HTTPS_LISTENER_ARN", "")
        settings.cache_clear()
    # When / Then: the 50th fits, the 51st does not
    assert BY_KIND["listener"].make(context_of("abc")).extra == {"port": "5001"}
    with pytest.raises(NoCapacity, match=f"as many listeners as AWS allows.*{advice}"):
        BY_KIND["listener"].make(context_of("bcd"))


def test_a_claim_is_kept_and_a_freed_port_is_used_again() -> None:
    # Given
    first, second = claimed("abc"), claimed("bcd")
    # When / Then
    assert ports.claim("abc", 1) == first
    ports.release(first, "bcd")  # not the owner: nothing happens
    assert ports.owned("abc") == [first]
    ports.release(first, "abc")
    ports.release(first, "abc")
    assert claimed("cde") == first
    assert ports.owned("bcd") == [second]


def test_a_race_for_one_port_has_one_winner(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given: both read the table before either writes, as two executions at once do
    for name in NAMES[:2]:
        store.claim(flow.spec_of("endpoint", name=name), "tests")
    monkeypatch.setattr(ports, "_owners", dict)
    # When
    taken = [ports.claim(name, 1) for name in NAMES[:2]]
    # Then
    assert taken == [5001, 5002]


def test_a_stale_writer_claims_nothing() -> None:
    store.claim(flow.spec_of("endpoint", name="abc"), "tests")
    store.begin_deletion("abc", "tests")
    with pytest.raises(StaleWriter):
        ports.claim("abc", 1)
    assert ports.owned("abc") == []


@pytest.mark.parametrize(
    ("foreign", "expected"),
    [
        ([], 5001),
        ([5001], 5002),
        ([5001, 5002], 5003),
        ([5001, 5002, 5003], None),
    ],
)
def test_listeners_of_others_are_walked_around(foreign: list[int], expected: int | None) -> None:
    # Given
    theirs = {foreign_listener(port) for port in foreign}
    context = context_of("benthic")
    # When / Then
    if expected is None:
        with pytest.raises(NoCapacity, match="ListenerPorts"):
            BY_KIND["listener"].make(context)
    else:
        assert BY_KIND["listener"].make(context).extra == {"port": str(expected)}
        assert ports.owned("benthic") == [expected]
    present = client("elbv2").describe_listeners(LoadBalancerArn=settings().load_balancer_arn)["Listeners"]
    assert theirs <= {listener["ListenerArn"] for listener in present}
