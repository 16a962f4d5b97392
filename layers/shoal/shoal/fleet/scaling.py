"""The thin hands of the policy: read the queue and the service, raise or lower the counts in one step."""

from __future__ import annotations

from typing import Any

from shoal import deployments, jobs
from shoal.aws import client, domain_errors
from shoal.contracts.names import resource_name
from shoal.contracts.status import DeploymentStatus
from shoal.deployments import Deployment, fleet_reason, halting
from shoal.errors import Conflict, ShoalError
from shoal.fleet import instances, memory, spending, telling
from shoal.fleet.policy import Decision, Limits, Load, decide, hold
from shoal.fleet.spending import Spending
from shoal.resources import scaling_activities
from shoal.settings import settings
from shoal.telemetry import logger

_PAGE = 100
_VISIBLE, _IN_FLIGHT = "ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"


def apply(deployment: Deployment, just_sent: int = 0) -> int:
    """Set the counts of the deployment's service and instances by the policy; answers the workers wanted.

    ``just_sent`` messages count at once: SQS's own count is approximate and may lag by a minute.

    Raises:
        Conflict: the service is gone.
    """
    visible, in_flight = _backlog(str(deployment.queue_url))
    current = _current(deployment.name)
    on_instances = deployment.spec.compute == "ec2-gpu"
    group = instances.group_of(deployment.name) if on_instances else None
    spent = spending.count(deployment, instances.alive(group) if on_instances else current)
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
    limits, was = _limits(deployment), spending.is_stopped(deployment, spent)
    decision = hold(load, limits) if was else decide(load, limits)
    if decision.stopped and not was:
        spending.stop(deployment)
    if decision.stopped:
        fleet_reason.tell(deployment, decision.reason)
    return decision


def _changed(deployment: Deployment, load: Load, remembered: memory.Memory) -> bool:
    """A last look before workers are stopped: an intake may have woken the fleet since the first."""
    submitted_at = memory.recall(deployment.name).submitted_at
    return submitted_at != remembered.submitted_at or _backlog(str(deployment.queue_url)) != (
        load.visible,
        load.in_flight,
    )


def reconcile(event: object = None) -> dict[str, int]:
    """One pass over all deployments with a fleet, or over the one whose task an event says has stopped.

    A live one follows its queue, a stopped one goes to nothing and is kept there. Answers how many were seen,
    how many failed, how many instances were terminated. A deployment that cannot be reconciled is logged and
    does not keep the others waiting.
    """
    seen = failed = reaped = 0
    for deployment in _concerned(event):
        seen += 1
        try:
            reaped += _pass(deployment)
        except ShoalError:
            failed += 1
            logger().exception("fleet not reconciled", extra={"deployment": deployment.name})
    return {"deployments": seen, "failed": failed, "reaped": reaped}


def _pass(deployment: Deployment) -> int:
    """Answers how many instances were terminated."""
    reaped = _halted(deployment) if deployment.status.is_halted() else _followed(deployment)
    telling.dives(deployment)
    return reaped


def _followed(deployment: Deployment) -> int:
    """While an update rolls, an instance that is empty waits for the new worker: none is reaped then."""
    stopped = _held_back(deployment)
    sent = 0 if stopped else jobs.top_up(deployment.name, str(deployment.queue_url))
    wanted = apply(deployment, just_sent=sent)
    if not stopped:
        fleet_reason.tell(deployment, _obstacle(deployment) if wanted else "")
    if not sent and not stopped:
        _recover(deployment)
    if deployment.spec.compute != "ec2-gpu" or deployment.status is not DeploymentStatus.READY:
        return 0
    return instances.reap(deployment.name, wanted, lambda: _current(deployment.name))


def _obstacle(deployment: Deployment) -> str:
    """Why no instance starts, where a READY fleet should have more than it has."""
    if deployment.spec.compute != "ec2-gpu" or deployment.status is not DeploymentStatus.READY:
        return ""
    group = instances.group_of(deployment.name)
    if group is None or instances.alive(group) >= int(group["DesiredCapacity"]):
        return ""
    return scaling_activities.obstacle(str(group["AutoScalingGroupName"]))


def _halted(deployment: Deployment) -> int:
    """Towards nothing; what still runs is counted."""
    if spending.recall(deployment).workers:
        spending.count(deployment, instances.alive(instances.group_of(deployment.name)))
    if deployment.queue_url and deployment.status is DeploymentStatus.STOPPING:
        jobs.withdraw(deployment.name, deployment.queue_url)
    halting.advance(deployment)
    return 0


def _held_back(deployment: Deployment) -> bool:
    """Whether the budget has stopped the fleet; then no worker finds a further video, and people are told."""
    spent = spending.recall(deployment)
    if not spending.is_stopped(deployment, spent):
        return False
    jobs.withdraw(deployment.name, str(deployment.queue_url))
    telling.budget(deployment, spent)
    return True


def _recover(deployment: Deployment) -> None:
    """An empty queue with work unfinished: some message is gone."""
    if jobs.recovery.unfinished(deployment.name) <= 0 or _backlog(str(deployment.queue_url)) != (0, 0):
        return
    again, failed = jobs.recovery.recover(deployment.name)
    if again or failed:
        counts = {"deployment": deployment.name, "again": again, "failed": failed}
        logger().warning("jobs without a message: sent again or failed", extra=counts)


def _concerned(event: object) -> list[Deployment]:
    """EventBridge's "ECS Task State Change" names a cluster, which is called like its deployment."""
    detail = event.get("detail") if isinstance(event, dict) else None
    cluster = str(detail.get("clusterArn", "")) if isinstance(detail, dict) else ""
    if not cluster:
        return _with_fleet()
    found = deployments.find(cluster.rpartition("/")[2].removeprefix(_prefix()))
    return [found] if found and _is_reconciled(found) else []


def _prefix() -> str:
    return f"shoal-{settings().shoal_environment}-"


def _is_reconciled(deployment: Deployment) -> bool:
    status = deployment.status
    return status.is_halted() or (status.is_live() and bool(deployment.queue_url))


def _limits(deployment: Deployment) -> Limits:
    spec = deployment.spec
    return Limits(
        fleet_size=spec.fleet_size,
        minimum=1 if spec.has_endpoint else 0,
        deadline_hours=spec.deadline_hours,
        budget_usd=spec.budget_usd,
        price=spending.price_of(spec) or 0.0,
    )


def _with_fleet() -> list[Deployment]:
    found: list[Deployment] = []
    after = None
    while True:
        page, after = deployments.list_deployments(_PAGE, after)
        found += [one for one in page if _is_reconciled(one)]
        if after is None:
            return found


def _backlog(queue_url: str) -> tuple[int, int]:
    with domain_errors("count the messages of the queue"):
        answer: dict[str, Any] = client("sqs").get_queue_attributes(
            QueueUrl=queue_url, AttributeNames=[_VISIBLE, _IN_FLIGHT]
        )
    counts = answer["Attributes"]
    return int(counts[_VISIBLE]), int(counts[_IN_FLIGHT])


def _current(name: str) -> int:
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
