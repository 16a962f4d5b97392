"""ECS task definitions: names, health checks, GPUs, Fargate sizes."""

from __future__ import annotations

import re
from typing import Any

from shoal_local.strict.engine import Call, after, before, refused

_FAMILY = re.compile(r"[A-Za-z0-9_-]{1,255}")
_HEALTH_RANGES = {"interval": (5, 300), "timeout": (2, 60), "retries": (1, 10), "startPeriod": (0, 300)}
_FARGATE_MEMORY = {
    256: (512, 1024, 2048),
    512: tuple(range(1024, 4097, 1024)),
    1024: tuple(range(2048, 8193, 1024)),
    2048: tuple(range(4096, 16385, 1024)),
    4096: tuple(range(8192, 30721, 1024)),
    8192: tuple(range(16384, 61441, 4096)),
    16384: tuple(range(32768, 122881, 8192)),
}


@before("ecs", "RegisterTaskDefinition")
def family_is_valid(call: Call) -> None:
    """ECS API RegisterTaskDefinition, family: "Up to 255 letters (uppercase and lowercase), numbers,
    underscores, and hyphens are allowed.\""""
    if not _FAMILY.fullmatch(call.get("family", "")):
        raise refused("ClientException", "Family contains invalid characters: use letters, numbers, _ and -.")


@before("ecs", "RegisterTaskDefinition")
def container_names_are_unique(call: Call) -> None:
    """ECS API ContainerDefinition, name; one container at least is essential, none is declared twice."""
    containers = call.get("containerDefinitions", [])
    names = [container.get("name") for container in containers]
    if not containers or len(set(names)) != len(names):
        raise refused("ClientException", "Container definitions must be given and have unique names.")
    if not any(container.get("essential", True) for container in containers):
        raise refused("ClientException", "At least one container must be essential.")


@before("ecs", "RegisterTaskDefinition")
def health_check_is_in_range(call: Call) -> None:
    """ECS API HealthCheck: interval 5-300, timeout 2-60, retries 1-10, startPeriod 0-300; command: CMD."""
    for container in call.get("containerDefinitions", []):
        check = container.get("healthCheck") or {}
        for name, (low, high) in _HEALTH_RANGES.items():
            value = check.get(name)
            if value is not None and not low <= value <= high:
                message = (
                    f"Health check {name} of container {container.get('name')} must be {low} to "
                    f"{high}, not {value}."
                )
                raise refused("ClientException", message)
        if check and (check.get("command") or [""])[0] not in ("CMD", "CMD-SHELL", "NONE"):
            raise refused("ClientException", "A health check's command must begin with CMD or CMD-SHELL.")


@before("ecs", "RegisterTaskDefinition")
def gpus_are_whole(call: Call) -> None:
    """ECS API ResourceRequirement, value: the number of physical GPUs, or ALL; value or sharingStrategy,
    not both."""
    for container in call.get("containerDefinitions", []):
        for need in container.get("resourceRequirements", []):
            value = str(need.get("value", ""))
            if need["type"] != "GPU" or "sharingStrategy" in need:
                continue
            if value != "ALL" and not (value.isdigit() and int(value) > 0):
                raise refused("ClientException", f"GPU must be a whole number or ALL, not '{value}'.")
            if "FARGATE" in call.get("requiresCompatibilities", []):
                raise refused("ClientException", "Tasks using the Fargate launch type do not support GPU.")


@before("ecs", "RegisterTaskDefinition")
def ports_are_ports(call: Call) -> None:
    """ECS API PortMapping: 0 to 65535; with awsvpc the host port is absent or the container's."""
    for container in call.get("containerDefinitions", []):
        for mapping in container.get("portMappings", []):
            host, inner = mapping.get("hostPort"), mapping.get("containerPort")
            if not all(0 <= int(port or 0) <= 65535 for port in (host, inner)):
                raise refused(
                    "ClientException", f"Invalid port mapping {inner}:{host}: ports are 0 to 65535."
                )
            if call.get("networkMode") == "awsvpc" and host not in (None, inner):
                message = (
                    "When networkMode=awsvpc, the host ports and container ports in port mappings must match."
                )
                raise refused("ClientException", message)


@before("ecs", "RegisterTaskDefinition")
def fargate_sizes_exist(call: Call) -> None:
    """ECS API RegisterTaskDefinition, cpu and memory: the table of Fargate's combinations; awsvpc only; an
    execution role for awslogs; stopTimeout at most 120."""
    if "FARGATE" not in call.get("requiresCompatibilities", []):
        return
    if call.get("networkMode") != "awsvpc":
        raise refused("ClientException", "Fargate only supports network mode 'awsvpc'.")
    cpu, memory = str(call.get("cpu", "")), str(call.get("memory", ""))
    if not (cpu.isdigit() and memory.isdigit() and int(memory) in _FARGATE_MEMORY.get(int(cpu), ())):
        raise refused("ClientException", "No Fargate configuration exists for given values.")
    for container in call.get("containerDefinitions", []):
        if container.get("stopTimeout", 0) > 120:
            raise refused("ClientException", "stopTimeout must be at most 120 seconds on Fargate.")
        if (container.get("logConfiguration") or {}).get("logDriver") == "awslogs" and not call.get(
            "executionRoleArn"
        ):
            message = (
                "Fargate requires task definition to have execution role ARN to support log driver awslogs."
            )
            raise refused("ClientException", message)


@before("ecs", "RegisterTaskDefinition")
def revisions_are_never_reused(call: Call) -> None:
    """ECS API RegisterTaskDefinition, revision: grows with each registration, also past deleted revisions
    (moto counts what is left)."""
    backend, family = call.backend("ecs"), call.get("family", "")
    last = getattr(backend, "shoal_last_revisions", {}).get(family, 0)
    left = backend.task_definitions.setdefault(family, {})
    if last and last not in left:
        left[last] = _Gone(family)


class _Gone:
    """Holds a deleted revision's number while moto counts."""

    def __init__(self, family: str) -> None:
        self.family, self.status = family, "DELETED"


@after("ecs", "RegisterTaskDefinition")
def last_revision_is_remembered(call: Call, _: Any) -> None:
    """ECS API RegisterTaskDefinition, revision; see :func:`revisions_are_never_reused`."""
    backend, family = call.backend("ecs"), call.get("family", "")
    revisions = backend.task_definitions[family]
    for number in [number for number, definition in revisions.items() if isinstance(definition, _Gone)]:
        del revisions[number]
    remembered = getattr(backend, "shoal_last_revisions", {})
    remembered[family] = max(revisions)
    backend.shoal_last_revisions = remembered
