"""What a ledger says exists but does not, or is not as it was made: a service's revision, a listener."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from shoal.aws import client, domain_errors
from shoal.contracts.report import Finding, Problem
from shoal.contracts.status import LedgerState
from shoal.deployments import ledger, prices
from shoal.deployments.leftovers import BY_HAND
from shoal.deployments.model import Deployment
from shoal.deployments.steps import context_of
from shoal.resources import BY_KIND, instance_mix, instances
from shoal.resources.auto_scaling_group import describe_group
from shoal.resources.host_rule import hosts_of
from shoal.resources.kind import Context, Entry, Scope
from shoal.resources.service import describe_service

Made = Mapping[str, Entry]


def find(deployment: Deployment, entries: list[Entry]) -> list[Finding]:
    """The findings of one deployment that is READY or STOPPED.

    Raises:
        Denied, Retryable: as AWS answered.
    """
    created = [entry for entry in entries if entry.state is LedgerState.CREATED]
    made = ledger.selected(created, deployment.uses)
    context = context_of(deployment, made)
    found = [finding for entry in made.values() for finding in _of_entry(entry, context)]
    return found + (list(_running(context)) if context.halted else [])


def _of_entry(entry: Entry, context: Context) -> Iterator[Finding]:
    found = BY_KIND[entry.kind].observe(context)
    if found is None:
        yield _finding("missing", entry, context, "the ledger says it was made, and it is not there")
    elif not context.owns(found.tags):
        yield _finding("differs", entry, context, "its tags do not say any more that it is ours")
    elif entry.kind in _LOOKS:
        for reason in _LOOKS[entry.kind](entry, context.made, context):
            yield _finding("differs", entry, context, reason)


def _service(entry: Entry, made: Made, context: Context) -> Iterator[str]:
    service = describe_service(made["cluster"].name, entry.name) or {}
    wanted, desired = made["task_definition"].arn, service.get("desiredCount", 0)
    if service.get("taskDefinition") != wanted:
        yield f"it runs {service.get('taskDefinition', 'nothing')}, the ledger says {wanted}"
    if context.halted and (desired or service.get("runningCount")):
        running = service.get("runningCount", 0)
        yield f"the deployment is stopped, and its desired count is {desired}, {running} workers run"
    if not context.halted and context.spec.has_endpoint and desired == 0:
        yield "its desired count is 0, so that nothing answers at its endpoint"


def _group(entry: Entry, made: Made, context: Context) -> Iterator[str]:  # noqa: ARG001 (as the others)
    group = describe_group(entry.name) or {}
    most = group.get("MaxSize", 0)
    if context.halted and most:
        yield f"the deployment is stopped, and {most} instances may start: its maximum is not 0"
    otherwise = instance_mix.difference(context.spec, group)
    if otherwise:
        yield otherwise


def _running(context: Context) -> Iterator[Finding]:
    """Instances of a stopped deployment, in its group or not: what costs though nobody wants it."""
    for one in instances.alive(context):
        if one.state != "shutting-down":
            yield Finding(
                problem="differs",
                kind="instance",
                name=one.instance_id,
                arn=one.instance_id,
                deployment=context.deployment,
                reason=f"the deployment is stopped, and this {one.instance_type} is {one.state}",
                usd_per_hour=prices.instance(one.instance_type),
                advice="the reconciler terminates it each minute, see its log; by hand: aws "
                + BY_HAND["instance"].format(name=one.instance_id),
            )


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


_LOOKS: dict[str, Callable[[Entry, Made, Context], Iterator[str]]] = {
    "service": _service,
    "auto_scaling_group": _group,
    "listener": _listener,
    "host_rule": _rule,
}


def _finding(problem: Problem, entry: Entry, context: Context, reason: str) -> Finding:
    again = f"delete and deploy it again: shoal delete {context.deployment}"
    return Finding(
        problem=problem,
        kind=entry.kind,
        name=entry.name,
        arn=entry.arn,
        deployment=context.deployment,
        reason=reason,
        advice=f"the reconciler mends it each minute, see its log; or {again}" if context.halted else again,
    )
