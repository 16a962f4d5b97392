"""The task definition of the worker (ECS). Registering is not idempotent: an earlier attempt's is adopted.

Each revision of a deployment has its own, until the deployment goes: a rollback uses it as it was.
"""

from __future__ import annotations

from typing import Any

from shoal.aws import client, domain_errors
from shoal.contracts.deployment import DeploymentSpec
from shoal.resources.kind import (
    GONE,
    REVISION_TAG,
    Answer,
    Context,
    Entry,
    Found,
    Made,
    Scope,
    lower_tags,
    make_or_adopt,
    plain_tags,
    waiting,
)
from shoal.resources.worker_container import container
from shoal.settings import settings

_DELETE_A_CALL = 10
_NOT_OF_THE_TASK = (
    "comment", "notify", "fleet_size", "instance_type", "root_volume_gib", "budget_usd", "deadline_hours",
    "instance_types", "spot", "on_demand_base",
)  # fmt: skip
"""What of a specification no worker is told."""
_ABSENT = frozenset({"ClientException", "InvalidParameterException"})
"""What DeregisterTaskDefinition answers for one that is gone; the list afterwards has the last word."""


class TaskDefinition:
    """A family of its own: ``shoal-<environment>-<deployment>[-<task_family>]``."""

    kind = "task_definition"
    order = 70
    blocked_by = ("service",)

    def applies(self, spec: DeploymentSpec) -> bool:  # noqa: ARG002
        return True

    def name(self, scope: Scope) -> str:
        return scope.name(scope.spec.task_family or "")

    def basis(self, spec: DeploymentSpec) -> object:
        return spec.model_dump(exclude=set(_NOT_OF_THE_TASK))

    def make(self, context: Context) -> Made:
        before = context.made.get(self.kind)
        if before and before.revision != context.revision and not self._registered(context, context.revision):
            with domain_errors(f"register a task definition of {self.name(context)}"):
                return self._create(context)
        return make_or_adopt(self, context, lambda: self._create(context))

    def observe(self, scope: Scope) -> Found | None:
        """The newest ACTIVE revision; deregistered ones are the business of ``unmake``."""
        active = _listed(self.name(scope), "ACTIVE")
        return _described(active[0]) if active else None

    def unmake(self, entry: Entry, scope: Scope) -> Answer:  # noqa: ARG002
        for arn in dict.fromkeys([entry.arn, *_listed(entry.name, "ACTIVE")]):
            with domain_errors(f"deregister {arn}", absent=_ABSENT):
                client("ecs").deregister_task_definition(taskDefinition=arn)
        inactive = _listed(entry.name, "INACTIVE")
        _delete(inactive or [entry.arn])
        left = _listed(entry.name, "ACTIVE") + _listed(entry.name, "INACTIVE")
        return waiting(f"{len(left)} revisions are still registered") if left else GONE

    def retire(self, entry: Entry, scope: Scope) -> Answer:
        """Deregistered and deleted; where its answer was lost, it is found by the revision in its tags."""
        arns = [entry.arn] if entry.arn else self._registered(scope, entry.revision)
        for arn in arns:
            with domain_errors(f"deregister {arn}", absent=_ABSENT):
                client("ecs").deregister_task_definition(taskDefinition=arn)
        _delete(arns)
        left = {*_listed(entry.name, "ACTIVE"), *_listed(entry.name, "INACTIVE")} & set(arns)
        return waiting(f"{len(left)} revisions are still registered") if left else GONE

    def _registered(self, scope: Scope, revision: int) -> list[str]:
        """The newest ACTIVE one, if this revision of ours made it."""
        found = self.observe(scope)
        mine = found and scope.owns(found.tags) and found.tags.get(REVISION_TAG) == str(revision)
        return [found.arn] if found and mine else []

    def _create(self, context: Context) -> Made:
        answer = client("ecs", attempts=1).register_task_definition(
            family=self.name(context),
            containerDefinitions=[container(context)],
            taskRoleArn=settings().need("task_role_arn"),
            executionRoleArn=settings().need("execution_role_arn"),
            tags=lower_tags(context.tags()),
            **_placement(context.spec),
        )
        return Made(answer["taskDefinition"]["taskDefinitionArn"])


def remove_revision(arn: str) -> Answer:
    """Deregister and delete this one revision, of whatever family; what is gone or going is GONE."""
    with domain_errors(f"deregister {arn}", absent=_ABSENT):
        client("ecs").deregister_task_definition(taskDefinition=arn)
    _delete([arn])
    status = ""
    with domain_errors(f"describe {arn}", absent=_ABSENT):
        status = client("ecs").describe_task_definition(taskDefinition=arn)["taskDefinition"]["status"]
    return GONE if status in {"", "DELETE_IN_PROGRESS"} else waiting(f"it is {status}")


def _placement(spec: DeploymentSpec) -> dict[str, Any]:
    if spec.compute == "ec2-gpu":
        return {"networkMode": "bridge", "requiresCompatibilities": ["EC2"]}
    return {
        "networkMode": "awsvpc",
        "requiresCompatibilities": ["FARGATE"],
        "cpu": str(spec.cpu),
        "memory": str(spec.memory_mib),
    }


def _listed(family: str, status: str) -> list[str]:
    """ARNs of the family's revisions, newest first."""
    with domain_errors(f"list the task definitions of {family}"):
        pages = client("ecs").get_paginator("list_task_definitions")
        found = [
            arn
            for page in pages.paginate(familyPrefix=family, status=status, sort="DESC")
            for arn in page["taskDefinitionArns"]
            if arn.rsplit("/", 1)[-1].rsplit(":", 1)[0] == family
        ]
    return sorted(found, key=lambda arn: int(arn.rsplit(":", 1)[-1]), reverse=True)


def _described(arn: str) -> Found:
    with domain_errors(f"describe {arn}"):
        answer = client("ecs").describe_task_definition(taskDefinition=arn, include=["TAGS"])
    return Found(arn, plain_tags(answer.get("tags", [])))


def _delete(arns: list[str]) -> None:
    for start in range(0, len(arns), _DELETE_A_CALL):
        with domain_errors("delete task definitions"):
            client("ecs").delete_task_definitions(taskDefinitions=arns[start : start + _DELETE_A_CALL])
