"""The worker's container as ECS is told of it."""

from __future__ import annotations

from typing import Any

from shoal.contracts.deployment import DeploymentSpec
from shoal.errors import InvalidRequest
from shoal.resources.kind import Context
from shoal.settings import settings

CONTAINER = "worker"
PORT = 8080
STOP_TIMEOUT_SECONDS = 110
"""Fargate allows 120, and a Spot interruption leaves 120: the worker releases its video within this time."""


def container(context: Context) -> dict[str, Any]:
    """The container definition (ECS, ContainerDefinition); memory in MiB, cpu in units of 1/1024 vCPU."""
    spec = context.spec
    definition: dict[str, Any] = {
        "name": CONTAINER,
        "image": image(spec),
        "essential": True,
        "cpu": spec.cpu,
        "memory": spec.memory_mib,
        "stopTimeout": STOP_TIMEOUT_SECONDS,
        "environment": [{"name": key, "value": value} for key, value in environment(context).items()],
        "logConfiguration": _logs(context),
        "linuxParameters": {"initProcessEnabled": True, "capabilities": {"drop": ["ALL"]}},
    }
    if spec.has_endpoint:
        host_port = (
            PORT if spec.compute == "fargate-cpu" else 0
        )  # 0: ECS picks one, so that tasks may overlap
        definition["portMappings"] = [{"containerPort": PORT, "hostPort": host_port, "protocol": "tcp"}]
    if spec.compute == "ec2-gpu":
        definition["resourceRequirements"] = [{"type": "GPU", "value": "1"}]
        definition["dockerSecurityOptions"] = ["no-new-privileges"]
        definition["privileged"] = False
    return definition


def environment(context: Context) -> dict[str, str]:
    """The worker's environment, fixed in docs/architecture.md."""
    spec, given = context.spec, settings()
    return {
        "SHOAL_DEPLOYMENT": context.deployment,
        "SHOAL_REVISION": str(context.revision),
        "SHOAL_SERVES": ",".join(spec.serves),
        "SHOAL_MODEL": _model(spec),
        "SHOAL_TRACK_CONFIG": spec.track_config or "",
        "SHOAL_ARGS": spec.args,
        "SHOAL_IMAGE_URI": image(spec),
        "SHOAL_MODEL_VERSION": "" if spec.model_version is None else str(spec.model_version),
        "SHOAL_INSTANCE_TYPE": _instance_type(spec),
        "SHOAL_PORT": str(PORT),
        "VIDEO_QUEUE": context.made["queue"].extra["url"] if spec.has_queue else "",
        "VIDEO_BUCKET": given.need("data_bucket"),
        "TRACK_BUCKET": given.need("data_bucket"),
        "JOBS_TABLE": given.need("deployments_table"),
        "TIMEOUT_HOURS": f"{spec.timeout_hours:g}",
        "AWS_REGION": given.aws_region,
    }


def _instance_type(spec: DeploymentSpec) -> str:
    """Where there is but one; of several a task definition cannot tell which it runs on."""
    return spec.instance_type if spec.compute == "ec2-gpu" and not spec.instance_types else ""


def image(spec: DeploymentSpec) -> str:
    """The image a person named, or the one the template gives."""
    return spec.image or settings().need("worker_image")


def _model(spec: DeploymentSpec) -> str:
    if spec.model_location is None:
        raise InvalidRequest(
            f"model_location: {spec.name} names a registered model without its location: "
            "deploy it through the API, which looks the version up"
        )
    return spec.model_location


def _logs(context: Context) -> dict[str, Any]:
    options = {
        "awslogs-group": context.made["log_group"].name,
        "awslogs-region": settings().aws_region,
        "awslogs-stream-prefix": CONTAINER,
        "mode": "non-blocking",  # a slow log must not stop a worker in the middle of a frame
        "max-buffer-size": "4m",
    }
    return {"logDriver": "awslogs", "options": options}
