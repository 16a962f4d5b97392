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
    with pytest.raises(NoCapacity, match="delete a deployment, or widen ListenerPorts"):
        claimed(NAMES[3])


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
    spec = flow.spec_of("endpoint")
    generation = store.claim(spec, "tests").generation
    made: dict[str, Entry] = {}
    context = Context("dev", spec.name, spec, 1, generation, made)
    group = BY_KIND["target_group"].make(context)
    made["target_group"] = Entry(kind="target_group", order=20, name="g", revision=1, arn=group.arn)
    # When / Then
    if expected is None:
        with pytest.raises(NoCapacity, match="ListenerPorts"):
            BY_KIND["listener"].make(context)
    else:
        assert BY_KIND["listener"].make(context).extra == {"port": str(expected)}
        assert ports.owned(spec.name) == [expected]
    present = client("elbv2").describe_listeners(LoadBalancerArn=settings().load_balancer_arn)["Listeners"]
    assert theirs <= {listener["ListenerArn"] for listener in present}
