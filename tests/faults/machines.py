"""The real state machines in moto's interpreter, synchronously, with the real functions in this process."""

from __future__ import annotations

import functools
import json
import logging
import re
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from faults import kinds
from faults.clock import VirtualClock
from faults.injector import Injector
from faults.kinds import FunctionDied
from faults.plans import Fault
from rest_world import CONTEXT, load_app
from state_machines import substituted

PASSES = 20
"""Passes of a teardown before it gives up; 90 and 180 in the real machines, which here only cost time."""
_BOUND = re.compile(r'("\$\.passes\.count", "NumericLessThan": )\d+')
_ANSWERS = {
    "timeout": ("Sandbox.Timedout", "Task timed out after 60.00 seconds"),
    "service": ("Lambda.ServiceException", "Service exception"),
}


Answer = dict[str, Any]
"""What Lambda's Invoke answers."""


class ExecutionDied(BaseException):
    """The execution ends here without its own say (``States.Runtime``, an abort)."""


@dataclass
class Machines:
    """``queue`` holds what was started and has not run yet; ``run`` runs it to its end."""

    injector: Injector
    queue: deque[Callable[[], None]] = field(default_factory=deque)
    invoked: list[str] = field(default_factory=list)
    ran: list[Any] = field(default_factory=list)
    launch: Callable[[Callable[[], None]], None] = lambda _: None
    """Told of each execution that is started; :attr:`queue` takes it unless told otherwise."""
    entered: Callable[[str, Any], None] = lambda *_: None
    around: Callable[[Callable[[], Answer]], Answer] = lambda handle: handle()
    """Handles an invocation that :attr:`entered` was just told of, or knows its answer."""
    _counts: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.launch = self.queue.append

    def counted(self, name: str) -> int:
        """How often ``lambda.<function>`` was invoked since :meth:`begin`."""
        return self._counts[name]

    def begin(self) -> None:
        self._counts, self.invoked = Counter(), []

    def run(self) -> None:
        """Every execution that was started, in turn."""
        while self.queue:
            self.queue.popleft()()

    def invoke(self, function: str, event: Any) -> Answer:
        """One invocation as the interpreter sees it: a payload, or a function error."""
        name = f"lambda.{function}"
        self._counts[name] += 1
        self.invoked.append(function)
        self.entered(function, event)
        fault = self._fault(name)
        kind = kinds.split(fault.kind)[0] if fault else ""
        if kind == "dies" and function != "recovery":
            raise ExecutionDied(str(fault))
        if kind == "service":
            return _failed(*_ANSWERS["service"])
        if kind == "twice":
            self._handled(function, event)
        answer = self.around(functools.partial(self._handled, function, event))
        return _failed(*_ANSWERS["timeout"]) if kind == "timeout" else answer

    def _fault(self, name: str) -> Fault | None:
        if not self.injector.active:
            return None
        for fault in self.injector.faults:
            met = fault.number == self._counts[name] or (
                kinds.split(fault.kind)[1] and fault.number < self._counts[name]
            )
            if fault.call == name and met:
                self.injector.hits[str(fault)] += 1
                return fault
        return None

    def _handled(self, function: str, event: Any) -> Answer:
        """A function's exception, or its death, as Lambda reports it."""
        try:
            payload = load_app(function).lambda_handler(event, CONTEXT)
        except FunctionDied:
            return _failed("Runtime.ExitError", "Runtime exited with error: signal: killed")
        except Exception as error:  # noqa: BLE001 - Lambda's own runtime answers any exception by its class name
            return _failed(type(error).__name__, str(error))
        return {"StatusCode": 200, "Payload": json.loads(json.dumps(payload))}


def _failed(error: str, message: str) -> Answer:
    told = {"errorType": error, "errorMessage": message}
    return {"StatusCode": 200, "FunctionError": "Unhandled", "Payload": told}


class _Inline:
    """A thread that runs where it is started."""

    def __init__(self, target: Callable[..., None], args: tuple[Any, ...] = (), **_: Any) -> None:
        self._target, self._args = target, args

    def start(self) -> None:
        self._target(*self._args)

    def join(self, timeout: float | None = None) -> None:
        """It has ended already."""

    def is_alive(self) -> bool:
        return False


@contextmanager
def synchronous(injector: Injector, clock: VirtualClock) -> Iterator[Machines]:
    """moto's interpreter without threads, without sleeps, calling our functions."""
    from moto.stepfunctions.parser.asl.component.common.retry import jitter_strategy_decl, retrier_decl
    from moto.stepfunctions.parser.asl.component.program import program
    from moto.stepfunctions.parser.asl.component.state.exec import execute_state
    from moto.stepfunctions.parser.asl.component.state.exec.state_task import lambda_eval_utils
    from moto.stepfunctions.parser.asl.component.state.wait.wait_function.wait_function import WaitFunction
    from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser as Parser
    from moto.stepfunctions.parser.backend import execution_worker

    logging.getLogger("moto.stepfunctions").setLevel(logging.CRITICAL)
    made = Machines(injector)

    def invoke(parameters: dict[str, Any], **_: Any) -> dict[str, Any]:
        function = parameters["FunctionName"].rsplit(":", 1)[-1]
        return made.invoke(snake(function), json.loads(parameters["Payload"]))

    class Deferred(_Inline):
        def start(self) -> None:
            worker: Any = self._target.__self__  # type: ignore[attr-defined]
            made.launch(functools.partial(_execute, made, worker))

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Parser, "parse", staticmethod(functools.cache(Parser.parse)))
        patched.setattr(lambda_eval_utils, "_invoke_lambda_function", invoke)
        patched.setattr(WaitFunction, "_wait_interval", lambda _, env, wait_seconds: clock.wait(wait_seconds))
        patched.setattr(retrier_decl, "time", SimpleNamespace(sleep=clock.wait))
        # a plan must give the same run again: jitter is drawn as its whole interval
        patched.setattr(jitter_strategy_decl, "random", SimpleNamespace(uniform=lambda low, high: high))
        patched.setattr(program, "threading", SimpleNamespace(Thread=_Inline))
        patched.setattr(execute_state, "Thread", _Inline)
        patched.setattr(execution_worker, "Thread", Deferred)
        yield made


def _execute(machines: Machines, worker: Any) -> None:
    from moto.stepfunctions.parser.api import ExecutionStatus

    execution = worker._execution_communication.execution
    machines.ran.append(execution)
    try:
        worker._execution_logic()
    except ExecutionDied:
        execution.exec_status = ExecutionStatus.FAILED
        execution.error = "States.Runtime"
    if execution.exec_status != ExecutionStatus.SUCCEEDED:
        _told_of_its_end(machines, execution)


def _told_of_its_end(machines: Machines, execution: Any) -> None:
    """EventBridge's event; Lambda runs an asynchronous event again, twice, when it failed."""
    detail = {
        "name": execution.name,
        "executionArn": execution.exec_arn,
        "status": str(execution.exec_status),
        "input": json.dumps(execution.input_data),
        "error": execution.error,
        "cause": execution.cause,
    }
    event = {"detail-type": "Step Functions Execution Status Change", "detail": detail}
    for _ in range(3):
        if "FunctionError" not in machines.invoke("recovery", event):
            return


def snake(function: str) -> str:
    """``TaskCluster`` as the folder of its function: ``task_cluster``."""
    return "".join(f"_{sign.lower()}" if sign.isupper() else sign for sign in function).lstrip("_")


def create(name: str) -> str:
    """Create the real machine, but that a teardown gives up earlier; answers its ARN."""
    from shoal.aws import client

    role = "arn:aws:iam::123456789012:role/states"
    definition = _BOUND.sub(rf"\g<1>{PASSES}", substituted(name))
    answer = client("stepfunctions").create_state_machine(name=name, definition=definition, roleArn=role)
    return str(answer["stateMachineArn"])
