"""The thin hands of the policy: read the queue and the service, raise or lower the counts in one step."""

from __future__ import annotations

from typing import Any

from shoal import jobs
from shoal.aws import client, domain_errors
from shoal.contracts.names import resource_name
from shoal.deployments import Deployment, fleet_reason
from shoal.errors import Conflict
from shoal.fleet import instances, memory, spending
from shoal.fleet.policy import Decision, Limits, Load, decide, hold
from shoal.fleet.spending import Spending
from shoal.settings import settings
from shoal.telemetry import logger

_VISIBLE, _IN_FLIGHT = "ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"


def apply(deployment: Deployment, just_sent: int = 0) -> int:
    """Set the counts of the deployment's service and instances by the policy; answers the workers wanted.

    ``just_sent`` messages count at once: SQS's own count is approximate and may lag by a minute.

    Raises:
        Conflict: the service is gone.
    """
    visible, in_flight = backlog(str(deployment.queue_url))
    current = current_of(deployment.name)
    on_instances = deployment.spec.compute == "ec2-gpu"
    group = instances.group_of(deployment.name) if on_instances else None
    there = instances.alive(group) if on_instances else current
    idle = not visible and not in_flight and not just_sent and there > limits_of(deployment).minimum
    spent = spending.count(deployment, there, idle)
    remembered = memory.recall(deployment.name)
    load = Load(visible=max(visible, just_sent), in_flight=in_flight, current=current, spent_usd=spent.usd)
    if just_sent:
        remembered = memory.note_submission(deployment.name, remembered)
    else:
        remembered = memory.note_pass(deployment.name, remembered, load)
    decision = _decide(deployment, remembered.complete(load), spent)
    if decision.count < current and _changed(deployment, load, remembered):
        return current  # videos came while this pass looked: the next one decides
    if decision.count != current:
        _set(deployment.name, decision.count)
        counts = {"visible": load.visible, "in_flight": in_flight, "from": current, "to": decision.count}
        logger().info("fleet changed: %s", decision.reason, extra={"deployment": deployment.name, **counts})
    if on_instances:
        instances.raise_to(deployment.name, decision.count, group)
    return decision.count


def feed(deployment: Deployment) -> int:
    """Send what waits in the table; answers how many messages. Nothing where the budget has stopped it."""
    if spending.is_stopped(deployment, spending.recall(deployment)):
        return 0
    return jobs.top_up(deployment.name, str(deployment.queue_url))


def _decide(deployment: Deployment, load: Load, spent: Spending) -> Decision:
    """By the policy; what a budget has stopped stays stopped, whatever the estimates say next."""
    limits, was = limits_of(deployment), spending.is_stopped(deployment, spent)
    decision = hold(load, limits) if was else decide(load, limits)
    if decision.stopped and not was:
        spending.stop(deployment)
    if decision.stopped:
        fleet_reason.tell(deployment, decision.reason)
    return decision


def _changed(deployment: Deployment, load: Load, remembered: memory.Memory) -> bool:
    """A last look before workers are stopped: an intake may have woken the fleet since the first."""
    submitted_at = memory.recall(deployment.name).submitted_at
    return submitted_at != remembered.submitted_at or backlog(str(deployment.queue_url)) != (
        load.visible,
        load.in_flight,
    )


def limits_of(deployment: Deployment) -> Limits:
    spec = deployment.spec
    return Limits(
        fleet_size=spec.fleet_size,
        minimum=1 if spec.has_endpoint else 0,
        deadline_hours=spec.deadline_hours,
        budget_usd=spec.budget_usd,
        price=spending.price_of(spec) or 0.0,
    )


def backlog(queue_url: str) -> tuple[int, int]:
    with domain_errors("count the messages of the queue"):
        answer: dict[str, Any] = client("sqs").get_queue_attributes(
            QueueUrl=queue_url, AttributeNames=[_VISIBLE, _IN_FLIGHT]
        )
    counts = answer["Attributes"]
    return int(counts[_VISIBLE]), int(counts[_IN_FLIGHT])


def current_of(name: str) -> int:
    """The count the service is told to have; cluster and service are called alike."""
    service = resource_name(settings().shoal_environment, name)
    with domain_errors(f"describe service {service}"):
        found = client("ecs").describe_services(cluster=service, services=[service])["services"]
    if not found or found[0]["status"] != "ACTIVE":
        raise Conflict(f"the service of {name} is gone: GET /deploy/{name} says why")
    return int(found[0]["desiredCount"])


def _set(name: str, count: int) -> None:
    service = resource_name(settings().shoal_environment, name)
    with domain_errors(f"set the desired count of service {service}"):
        client("ecs").update_service(cluster=service, service=service, desiredCount=count)
