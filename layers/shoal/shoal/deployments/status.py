"""Whether the service is steady, and if not yet, why: the answer of the service_status step."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel

from shoal.aws import client, domain_errors
from shoal.contracts.deployment import DeploymentSpec
from shoal.deployments import ledger, store
from shoal.deployments.steps import StepInput
from shoal.errors import ServiceNotStable
from shoal.resources import scaling_activities
from shoal.resources.kind import Entry
from shoal.resources.service import describe_service
from shoal.settings import settings

_EVENTS = 3


class ServiceStatus(BaseModel):
    """``reason`` is for a person: the last words of ECS, Auto Scaling and the load balancer."""

    ready: bool
    reason: str


def service_status(payload: StepInput) -> ServiceStatus:
    """READY is a rollout COMPLETED for our own task definition and, with an endpoint, a healthy target.

    Raises:
        ServiceNotStable: the rollout failed, the service is missing, or its deadline is over.
        StaleWriter: a newer generation owns the deployment.
    """
    deployment = store.at(payload.deployment, payload.revision, payload.generation)
    status = steadiness(ledger.selected(ledger.entries(deployment.name), deployment.uses), deployment.spec)
    if not status.ready and status.reason != deployment.reason:
        store.record_waiting(deployment.name, deployment.generation, "service_status", status.reason)
    return status


def steadiness(made: Mapping[str, Entry], spec: DeploymentSpec) -> ServiceStatus:
    """Whether the service runs what is ``made`` for a revision, and nothing else.

    Raises:
        ServiceNotStable: as :func:`service_status`.
    """
    service = _service(made)
    rollout = _our_rollout(service, made["task_definition"].arn)
    health = _target_health(made.get("target_group"))
    ready = _is_ready(rollout, health)
    status = ServiceStatus(ready=ready, reason=_reason(service, rollout, health, made))
    if rollout.get("rolloutState") == "FAILED":
        raise ServiceNotStable(f"the rollout failed: {status.reason}")
    if _only_old_ones_finish(service, rollout, spec):
        return ServiceStatus(ready=True, reason=f"the old workers finish their videos: {status.reason}")
    if not status.ready and _age(rollout) > settings().deploy_deadline_seconds:
        raise ServiceNotStable(f"not steady after {settings().deploy_deadline_seconds} s: {status.reason}")
    return status


def _service(made: Mapping[str, Entry]) -> dict[str, Any]:
    missing = [kind for kind in ("cluster", "task_definition", "service") if kind not in made]
    service = None if missing else describe_service(made["cluster"].name, made["service"].name)
    if service is None or service["status"] != "ACTIVE":
        raise ServiceNotStable("the service is missing or was deleted by somebody else: deploy again")
    return service


def _our_rollout(service: dict[str, Any], task_definition: str) -> dict[str, Any]:
    """The PRIMARY deployment of the service if it runs our task definition; empty otherwise."""
    for rollout in service.get("deployments", []):
        if rollout["status"] == "PRIMARY" and rollout["taskDefinition"] == task_definition:
            return dict(rollout)
    return {}


def _target_health(target_group: Entry | None) -> list[dict[str, Any]] | None:
    """One dict per target (State, Reason, Description); None for a deployment without an endpoint."""
    if target_group is None:
        return None
    with domain_errors("read the health of the targets"):
        answer = client("elbv2").describe_target_health(TargetGroupArn=target_group.arn)
    return [target["TargetHealth"] for target in answer["TargetHealthDescriptions"]]


def _is_ready(rollout: dict[str, Any], health: list[dict[str, Any]] | None) -> bool:
    """COMPLETED is also what a service without any task is: an endpoint needs one, and a healthy target."""
    completed = rollout.get("rolloutState") == "COMPLETED"
    if health is None:
        return completed
    serves = any(target["State"] == "healthy" for target in health)
    return completed and serves and rollout.get("runningCount", 0) > 0


def _only_old_ones_finish(service: dict[str, Any], rollout: dict[str, Any], spec: DeploymentSpec) -> bool:
    """A worker in the middle of a video is protected and may take hours; no new one may start beside it.

    After half of the deadline without any failure the revision counts: whatever starts next is of it.
    """
    older = [one for one in service.get("deployments", []) if one["status"] != "PRIMARY"]
    busy = any(one.get("runningCount", 0) for one in older)
    waits = rollout.get("rolloutState") == "IN_PROGRESS" and not rollout.get("failedTasks", 0)
    late = _age(rollout) > settings().deploy_deadline_seconds / 2
    return not spec.has_endpoint and busy and waits and late


def _age(rollout: dict[str, Any]) -> float:
    """Seconds since ECS began the rollout; 0 where it has not."""
    began = rollout.get("createdAt")
    return (datetime.now(UTC) - began).total_seconds() if began else 0.0


def _reason(
    service: dict[str, Any],
    rollout: dict[str, Any],
    health: list[dict[str, Any]] | None,
    made: Mapping[str, Entry],
) -> str:
    words = [
        f"rollout {rollout.get('rolloutState', 'not begun')}, "
        f"{rollout.get('runningCount', 0)} of {service.get('desiredCount', 0)} tasks running, "
        f"{rollout.get('failedTasks', 0)} failed"
    ]
    words += [str(rollout["rolloutStateReason"])] if rollout.get("rolloutStateReason") else []
    words += [f"target {target['State']}: {_why(target)}" for target in health or []]
    words += (
        scaling_activities.failures(made["auto_scaling_group"].name) if "auto_scaling_group" in made else []
    )
    words += [event["message"] for event in service.get("events", [])[:_EVENTS]]
    return "; ".join(words)


def _why(target: dict[str, Any]) -> str:
    return str(target.get("Description") or target.get("Reason") or "no reason given")
