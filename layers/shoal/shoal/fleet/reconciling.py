"""One pass over every fleet, each minute: follow the queue, reap what is too much, tell what is wrong."""

from __future__ import annotations

from shoal import deployments, jobs
from shoal.contracts.status import DeploymentStatus
from shoal.deployments import Deployment, fleet_reason, halting
from shoal.errors import ShoalError
from shoal.fleet import instances, interruptions, scaling, spending, telling
from shoal.resources import scaling_activities
from shoal.settings import settings
from shoal.telemetry import logger, measure

IDLE_LIMIT_SECONDS = 360.0
"""Three times what an idle worker and its instance may take to go; the alarm's threshold in template.yaml."""


def reconcile(event: object = None) -> dict[str, int]:
    """One pass over all deployments with a fleet, or over the one whose task an event says has stopped; the
    worker on a Spot instance that is taken back is stopped before.

    A live one follows its queue, a stopped one goes to nothing and is kept there. Answers how many were seen,
    how many failed, how many instances were terminated. A deployment that cannot be reconciled is logged and
    does not keep the others waiting.
    """
    taken = interruptions.instance_of(event)
    if taken:
        interruptions.give_back(taken, _with_fleet())
    seen = failed = reaped = 0
    idle = 0.0
    for deployment in _concerned(event):
        seen += 1
        try:
            reaped += _pass(deployment)
            idle = max(idle, _idle_seconds(deployment))
        except ShoalError:
            failed += 1
            logger().exception("fleet not reconciled", extra={"deployment": deployment.name})
    measure("IdleGpuSeconds", idle, "Seconds")
    return {"deployments": seen, "failed": failed, "reaped": reaped}


def _idle_seconds(deployment: Deployment) -> float:
    """For how long it has had instances and no video; what is longer than it should be is in the log."""
    seconds = spending.idle_seconds(spending.recall(deployment))
    if seconds > IDLE_LIMIT_SECONDS:
        about = {"deployment": deployment.name, "idle_seconds": round(seconds)}
        logger().warning("instances are idle", extra=about)
    return seconds


def _pass(deployment: Deployment) -> int:
    """Answers how many instances were terminated."""
    reaped = _halted(deployment) if deployment.status.is_halted() else _followed(deployment)
    telling.dives(deployment)
    return reaped


def _followed(deployment: Deployment) -> int:
    """While an update rolls, an instance that is empty waits for the new worker: none is reaped then."""
    stopped = _held_back(deployment)
    sent = 0 if stopped else jobs.top_up(deployment.name, str(deployment.queue_url))
    wanted = scaling.apply(deployment, just_sent=sent)
    if not stopped:
        fleet_reason.tell(deployment, _obstacle(deployment) if wanted else "")
    if not sent and not stopped:
        _recover(deployment)
    if deployment.spec.compute != "ec2-gpu" or deployment.status is not DeploymentStatus.READY:
        return 0
    return instances.reap(deployment.name, wanted, lambda: scaling.current_of(deployment.name))


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
    if jobs.recovery.unfinished(deployment.name) <= 0 or scaling.backlog(str(deployment.queue_url)) != (0, 0):
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
    if found:
        jobs.deaths.note(found.name, detail)
    return [found] if found and _is_reconciled(found) else []


def _prefix() -> str:
    return f"shoal-{settings().shoal_environment}-"


def _is_reconciled(deployment: Deployment) -> bool:
    status = deployment.status
    return status.is_halted() or (status.is_live() and bool(deployment.queue_url))


def _with_fleet() -> list[Deployment]:
    return [one for one in deployments.every_deployment() if _is_reconciled(one)]
