"""moto's Step Functions interpreter: calls our server, under the machine's own role, on our clock."""

from __future__ import annotations

import contextvars
import functools
import types
from collections.abc import Callable
from typing import Any

from shoal_local.clock import Clock
from shoal_local.iam import Iam
from shoal_local.names import backend
from shoal_local.patches import contract

_ASL = "moto.stepfunctions.parser.asl"
_TASK = f"{_ASL}.component.state.exec.state_task"
_WAIT = contract(
    f"{_ASL}.component.state.wait.wait_function.wait_function",
    "WaitFunction._wait_interval",
    "self env wait_seconds",
)
_RETRY_TIME = contract(f"{_ASL}.component.common.retry.retrier_decl", "time")
_CLIENT_BOTO3 = contract(f"{_ASL}.utils.boto_client", "boto3")
contract(f"{_ASL}.utils.boto_client", "boto_client_for", "region service state_credentials")
contract(f"{_ASL}.eval.evaluation_details", "AWSExecutionDetails.__init__", "self account region role_arn")
_EXECUTIONS = (
    contract(f"{_TASK}.service.state_task_service", "StateTaskService._eval_execution", "self env"),
    contract(f"{_TASK}.state_task_lambda", "StateTaskLambda._eval_execution", "self env"),
)

_ROLE: contextvars.ContextVar[str] = contextvars.ContextVar("shoal_state_machine_role", default="")

ClientFactory = Callable[[str, dict[str, str]], Any]
"""(service, credentials as AWS_* variables) to a boto3 client."""


def install(clock: Clock, iam: Iam, client: ClientFactory) -> None:
    """Patch the interpreter; a second call replaces the first."""
    _install_clock(clock)
    for each in _EXECUTIONS:
        each.replace(_under_role(each.original))
    cached = functools.cache(functools.partial(_role_client, iam, client))
    # the interpreter asks boto3.client(...) with keys and an endpoint of its own: only the service counts
    _CLIENT_BOTO3.replace(
        types.SimpleNamespace(client=lambda service_name, **_: cached(service_name, _ROLE.get()))
    )


def _install_clock(clock: Clock) -> None:
    def wait(_: Any, env: Any, wait_seconds: float) -> None:
        """Ends early only when the execution is stopped."""
        if wait_seconds > 0:
            env.program_state_event.wait(clock.seconds(wait_seconds))

    _WAIT.replace(wait)
    _RETRY_TIME.replace(types.SimpleNamespace(sleep=clock.sleep))


def _under_role(original: Callable[[Any, Any], None]) -> Callable[[Any, Any], None]:
    def evaluate(self: Any, env: Any) -> None:
        token = _ROLE.set(env.aws_execution_details.role_arn)
        try:
            original(self, env)
        finally:
            _ROLE.reset(token)

    return evaluate


def _role_client(iam: Iam, client: ClientFactory, service: str, role_arn: str) -> Any:
    return client(service, iam.credentials_for_role(role_arn, "StepFunctions"))


def stop_executions() -> None:
    """End whatever still runs, so that no interpreter thread outlives the cloud."""
    states = backend("stepfunctions")
    for machine in list(states.state_machines):
        for execution in list(machine.executions):
            if execution.status == "RUNNING":
                states.stop_execution(execution.execution_arn)
