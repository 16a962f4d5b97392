"""What carries our tags or our names, but no ledger owns. Looks only; removing is a person's decision."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Container, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from shoal.contracts.names import resource_name
from shoal.contracts.report import Finding
from shoal.deployments import prices
from shoal.deployments.leftovers import BY_HAND
from shoal.deployments.model import Deployment
from shoal.errors import ShoalError
from shoal.resources import claims, instances, named, tagged
from shoal.resources.claims import Claim
from shoal.resources.cluster import describe_cluster
from shoal.resources.kind import Entry
from shoal.resources.service import describe_service
from shoal.resources.tagged import Tagged

_T = TypeVar("_T")


@dataclass
class Seen:
    """What the account shows, and what could not be looked at."""

    resources: list[Tagged] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)
    blind: list[str] = field(default_factory=list)
    cost: dict[str, float | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Ledger:
    """A deployment with its entries."""

    deployment: Deployment
    entries: list[Entry]


def look(environment: str) -> Seen:
    """Every list there is; one that AWS refuses makes the report blind there, and stops no other."""
    seen = Seen()
    seen.resources += _ask(seen, "tags", lambda: _tagged(environment))
    for what in named.LISTS:
        seen.resources += _ask(seen, what, functools.partial(named.find, what, environment))
    seen.resources += _ask(seen, "instances", lambda: _instances(environment, seen))
    seen.claims = _ask(seen, "claims", claims.held)
    return seen


def find(environment: str, seen: Seen, ledgers: Collection[Ledger]) -> list[Finding]:
    """What is owned by nobody. ``seen`` must be older than ``ledgers``: what was made meanwhile is owned.

    A deployment that is being worked on is left out: its ledger and its resources change under our eyes.
    """
    owned, names, busy = _owned(environment, ledgers)
    found: dict[tuple[str, str], Finding] = {}
    for one in seen.resources:
        if _is_owned(one, owned, names):
            continue
        if any(one.deployment == name or one.name.startswith(prefix) for name, prefix in busy.items()):
            continue
        if (one.kind, one.arn) not in found and _is_there(one):
            found[(one.kind, one.arn)] = _finding(one, seen.cost.get(one.name, prices.resource(one.kind)))
    return [*found.values(), *_unclaimed(seen.claims, ledgers, busy)]


def _ask(seen: Seen, what: str, question: Callable[[], list[_T]]) -> list[_T]:
    try:
        return question()
    except ShoalError as error:
        seen.blind.append(f"{what}: {type(error).__name__}: {error.detail}")
    return []


def _tagged(environment: str) -> list[Tagged]:
    """Without what passes: the index lists terminated instances and stopped tasks for a while."""
    return [one for one in tagged.find(environment) if one.kind not in tagged.PASSING]


def _instances(environment: str, seen: Seen) -> list[Tagged]:
    found = instances.alive_in(environment)
    seen.cost |= {one.instance_id: prices.instance(one.instance_type) for one, _ in found}
    return [Tagged("instance", one.instance_id, one.instance_id, tags) for one, tags in found]


def _owned(
    environment: str, ledgers: Iterable[Ledger]
) -> tuple[set[tuple[str, str]], set[str], dict[str, str]]:
    """(kind, name or ARN) of every entry, deployments that hold something, and prefixes of those at work."""
    owned: set[tuple[str, str]] = set()
    names: set[str] = set()
    busy: dict[str, str] = {}
    for ledger in ledgers:
        name = ledger.deployment.name
        for entry in ledger.entries:
            kind = tagged.sort_of(entry.kind)
            owned |= {(kind, entry.name), (kind, entry.arn)}
            names.add(name)
        if not ledger.deployment.status.is_finished():
            busy[name] = resource_name(environment, name)
    return owned, names, busy


def _is_owned(one: Tagged, owned: set[tuple[str, str]], names: set[str]) -> bool:
    if one.kind == "instance":
        return one.deployment in names
    if one.kind == "task_definition":  # a ledger names the family; every revision of it is its business
        return ("task_definition", one.name.rpartition(":")[0]) in owned
    if one.kind == "log_group" and one.name.startswith(named.INSIGHTS):
        return ("cluster", one.name.removeprefix(named.INSIGHTS).split("/")[0]) in owned
    return bool({(one.kind, one.name), (one.kind, one.arn)} & owned)


def _is_there(one: Tagged) -> bool:
    """Deleted clusters and services stay visible as INACTIVE; the other kinds vanish from their lists."""
    if one.kind not in {"cluster", "service"}:
        return True
    try:
        cluster, service = one.arn.split("/")[1], one.name
        found = describe_cluster(cluster) if one.kind == "cluster" else describe_service(cluster, service)
    except ShoalError:
        return True
    return found is not None and found["status"] != "INACTIVE"


def _finding(one: Tagged, cost: float | None) -> Finding:
    whose = f"its tags name {one.deployment}, whose ledger does not hold it" if one.deployment else ""
    command = BY_HAND.get(one.kind, "").format(name=one.name, arn=one.arn)
    return Finding(
        problem="orphan",
        kind=one.kind,
        name=one.name,
        arn=one.arn,
        deployment=one.deployment,
        reason=whose or "its name is one of ours, and no ledger holds it",
        usd_per_hour=cost,
        advice="look whether somebody needs it; if not: " + (f"aws {command}" if command else "remove it"),
    )


_CLAIMED_BY = {"PORT": "listener_port", "HOST": "host_claim", "PRIORITY": "host_claim"}
"""The line of a ledger that stands for a claim; a priority is released with the host name."""


def _unclaimed(seen: list[Claim], ledgers: Iterable[Ledger], busy: Container[str]) -> Iterator[Finding]:
    """Claims whose owner's ledger holds none of the kind: nobody else gets that port, name or place."""
    owned = {(one.deployment.name, entry.kind) for one in ledgers for entry in one.entries}
    for claim in seen:
        if claim.owner in busy or (claim.owner, _CLAIMED_BY[claim.kind]) in owned:
            continue
        yield Finding(
            problem="orphan",
            kind=f"{claim.kind.lower()} claim",
            name=claim.key,
            deployment=claim.owner,
            reason=f"it is claimed for {claim.owner}, whose ledger does not hold it",
            advice=f"look whether somebody needs it; if not: aws {claims.removal(claim)}",
        )
