"""The thin hands of the policy: read the queue and the service, set the desired count."""

from __future__ import annotations

from typing import Any

from shoal import deployments
from shoal.aws import client, domain_errors
from shoal.contracts.names import resource_name
from shoal.contracts.status import DeploymentStatus
from shoal.deployments import Deployment
from shoal.errors import Conflict, ShoalError
from shoal.fleet.policy import desired_count
from shoal.settings import settings
from shoal.telemetry import logger

_PAGE = 100
_VISIBLE, _IN_FLIGHT = "ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"


def apply(deployment: Deployment, just_sent: int = 0) -> int:
    """Set the desired count of the deployment's service by the policy, and answer it.

    ``just_sent`` messages count at once: SQS's own count is approximate and may lag by a minute.

    Raises:
        Conflict: the service is gone.
    """
    visible, in_flight = _backlog(str(deployment.queue_url))
    current = _current(deployment.name)
    wanted = desired_count(
        visible=max(visible, just_sent),
        in_flight=in_flight,
        current=current,
        fleet_size=deployment.spec.fleet_size,
        minimum=1 if deployment.spec.has_endpoint else 0,
    )
    if wanted != current:
        _set(deployment.name, wanted)
        counts = {"visible": visible, "in_flight": in_flight, "from": current, "to": wanted}
        logger().info("fleet changed", extra={"deployment": deployment.name, **counts})
    return wanted


def reconcile() -> dict[str, int]:
    """One pass over all READY deployments with a queue; answers how many were seen, how many failed.

    A deployment that cannot be reconciled is logged and does not keep the others waiting.
    """
    seen = failed = 0
    for deployment in _ready():
        seen += 1
        try:
            apply(deployment)
        except ShoalError:
            failed += 1
            logger().exception("fleet not reconciled", extra={"deployment": deployment.name})
    return {"deployments": seen, "failed": failed}


def _ready() -> list[Deployment]:
    found: list[Deployment] = []
    after = None
    while True:
        page, after = deployments.list_deployments(_PAGE, after)
        found += [one for one in page if one.status is DeploymentStatus.READY and one.queue_url]
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
