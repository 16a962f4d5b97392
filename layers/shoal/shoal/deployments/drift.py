"""What a ledger says exists but does not, or is not as it was made: a service's revision, a listener."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from shoal.aws import client, domain_errors
from shoal.contracts.report import Finding, Problem
from shoal.contracts.status import LedgerState
from shoal.deployments import ledger
from shoal.deployments.model import Deployment
from shoal.deployments.steps import scope_of
from shoal.resources import BY_KIND
from shoal.resources.host_rule import hosts_of
from shoal.resources.kind import Entry, Scope
from shoal.resources.service import describe_service

Made = Mapping[str, Entry]


def find(deployment: Deployment, entries: list[Entry]) -> list[Finding]:
    """The findings of one deployment that is READY.

    Raises:
        Denied, Retryable: as AWS answered.
    """
    created = [entry for entry in entries if entry.state is LedgerState.CREATED]
    made = ledger.selected(created, deployment.uses)
    scope = scope_of(deployment)
    return [finding for entry in made.values() for finding in _of_entry(entry, made, scope)]


def _of_entry(entry: Entry, made: Made, scope: Scope) -> Iterator[Finding]:
    found = BY_KIND[entry.kind].observe(scope)
    if found is None:
        yield _finding("missing", entry, scope, "the ledger says it was made, and it is not there")
    elif not scope.owns(found.tags):
        yield _finding("differs", entry, scope, "its tags do not say any more that it is ours")
    elif entry.kind in _LOOKS:
        for reason in _LOOKS[entry.kind](entry, made, scope):
            yield _finding("differs", entry, scope, reason)


def _service(entry: Entry, made: Made, scope: Scope) -> Iterator[str]:
    service = describe_service(made["cluster"].name, entry.name) or {}
    wanted = made["task_definition"].arn
    if service.get("taskDefinition") != wanted:
        yield f"it runs {service.get('taskDefinition', 'nothing')}, the ledger says {wanted}"
    if scope.spec.has_endpoint and service.get("desiredCount") == 0:
        yield "its desired count is 0, so that nothing answers at its endpoint"


def _listener(entry: Entry, made: Made, scope: Scope) -> Iterator[str]:  # noqa: ARG001 (as the others)
    with domain_errors("look at the listener"):
        listener = client("elbv2").describe_listeners(ListenerArns=[entry.arn])["Listeners"][0]
    forwards = {action.get("TargetGroupArn") for action in listener["DefaultActions"]}
    if forwards != {made["target_group"].arn}:
        yield f"it forwards to {', '.join(map(str, forwards))}, not to {made['target_group'].arn}"
    if str(listener["Port"]) != entry.extra.get("port"):
        yield f"it listens on port {listener['Port']}, not on {entry.extra.get('port')}"


def _rule(entry: Entry, made: Made, scope: Scope) -> Iterator[str]:  # noqa: ARG001 (as the others)
    with domain_errors("look at the rule"):
        rule = client("elbv2").describe_rules(RuleArns=[entry.arn])["Rules"][0]
    forwards = {action.get("TargetGroupArn") for action in rule["Actions"]}
    if forwards != {made["target_group"].arn}:
        yield f"it forwards to {', '.join(map(str, forwards))}, not to {made['target_group'].arn}"
    if hosts_of(rule) != [entry.extra.get("host")]:
        yield f"it answers to {', '.join(hosts_of(rule)) or 'no host'}, not to {entry.extra.get('host')}"


_LOOKS: dict[str, Callable[[Entry, Made, Scope], Iterator[str]]] = {
    "service": _service,
    "listener": _listener,
    "host_rule": _rule,
}


def _finding(problem: Problem, entry: Entry, scope: Scope, reason: str) -> Finding:
    return Finding(
        problem=problem,
        kind=entry.kind,
        name=entry.name,
        arn=entry.arn,
        deployment=scope.deployment,
        reason=reason,
        advice=f"delete and deploy it again: shoal delete {scope.deployment}",
    )
