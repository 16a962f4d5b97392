"""The executions of the two state machines: one for each generation of a deployment, called after it."""

from __future__ import annotations

import json
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from shoal.aws import client, code_of, domain_errors
from shoal.deployments.model import Deployment
from shoal.settings import settings

Machine = Literal["deploy", "delete"]
ErrorObject = dict[str, str]
"""As a Catch gives it: ``{"Error": ..., "Cause": ...}``."""

RUNNING = "RUNNING"


class Execution(BaseModel):
    """How an execution stands, or ended; ``recoveries`` counts how often work was taken from a dead one."""

    model_config = ConfigDict(frozen=True)

    status: str
    error: str = ""
    cause: str = ""
    recoveries: int = 0


def start(
    machine: Machine, deployment: Deployment, error: ErrorObject | None = None, recoveries: int = 0
) -> bool:
    """Start this generation's execution or find it running; False when it ran and ended.

    With ``error`` a deployment begins at its rollback.
    """
    from botocore.exceptions import ClientError

    name = name_of(deployment)
    text = json.dumps(_input(deployment, error, recoveries), sort_keys=True)
    with domain_errors(f"start execution {name}"):
        try:
            client("stepfunctions").start_execution(
                stateMachineArn=_machine_arn(machine), name=name, input=text
            )
        except ClientError as refusal:
            if code_of(refusal) != "ExecutionAlreadyExists":
                raise
            return False
    return True


def find(machine: Machine, deployment: Deployment) -> Execution | None:
    """This generation's execution, or None where none was started. Eventually consistent."""
    absent = frozenset({"ExecutionDoesNotExist"})
    with domain_errors("describe the execution", absent=absent):
        return from_description(
            client("stepfunctions").describe_execution(executionArn=arn_of(machine, deployment))
        )
    return None


def from_description(described: dict[str, Any]) -> Execution:
    """The answer of DescribeExecution, or the detail of EventBridge's event: they name the fields alike."""
    given = json.loads(described.get("input") or "{}")
    return Execution(
        status=described["status"],
        error=described.get("error") or "",
        cause=described.get("cause") or "",
        recoveries=int(given.get("recoveries", 0)),
    )


def name_of(deployment: Deployment) -> str:
    return f"{deployment.name}-r{deployment.revision}-g{deployment.generation}"


def arn_of(machine: Machine, deployment: Deployment) -> str:
    return f"{_machine_arn(machine).replace(':stateMachine:', ':execution:')}:{name_of(deployment)}"


def _machine_arn(machine: Machine) -> str:
    return settings().need(f"{machine}_state_machine")


def _input(deployment: Deployment, error: ErrorObject | None, recoveries: int) -> dict[str, Any]:
    given: dict[str, Any] = {
        "deployment": deployment.name,
        "revision": deployment.revision,
        "generation": deployment.generation,
        "plan": {"endpoint": deployment.spec.has_endpoint, "compute": deployment.spec.compute},
    }
    given |= {"error": error} if error else {}
    return given | ({"recoveries": recoveries} if recoveries else {})
