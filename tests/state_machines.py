"""The two state machines as text, as graphs, and running in moto's interpreter with fake functions."""

from __future__ import annotations

import functools
import itertools
import json
import logging
import re
import time
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws
from shoal_local import strict

ROOT = Path(__file__).resolve().parents[1]
FUNCTION = re.compile(r"\$\{(\w+)FunctionArn\}")
ACCOUNT, REGION = "123456789012", "us-west-2"

State = dict[str, Any]
Answer = Callable[[dict[str, Any]], Any]
"""A fake function: its payload in, its result out; it raises :class:`Failure`."""


class Failure(Exception):
    """What a function raises, by the name that ``ErrorEquals`` matches."""

    def __init__(self, error: str, cause: str = "") -> None:
        super().__init__(error)
        self.error, self.cause = error, cause


def source(name: str) -> str:
    return (ROOT / "statemachine" / f"{name}.asl.json").read_text()


def substituted(name: str) -> str:
    """The definition with every function's ARN filled in, as CloudFormation does."""
    return FUNCTION.sub(lambda m: f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{m.group(1)}", source(name))


def machine(name: str) -> dict[str, Any]:
    definition: dict[str, Any] = json.loads(substituted(name))
    return definition


def successors(state: State) -> set[str]:
    """Every state that can follow, by success, choice or error."""
    found = {state["Next"]} if "Next" in state else set()
    found |= {rule["Next"] for rule in state.get("Choices", [])}
    found |= {state["Default"]} if "Default" in state else set()
    return found | {catcher["Next"] for catcher in state.get("Catch", [])}


def reachable(states: dict[str, State], start: str) -> set[str]:
    found, waiting = set[str](), [start]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += successors(states[name])
    return found


@dataclass
class Run:
    """One execution: how it ended, what the functions were asked, how many seconds it would have waited."""

    status: str = "RUNNING"
    error: str = ""
    cause: str = ""
    asked: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    waited: float = 0.0


class Machines:
    """Both machines in one interpreter, made once: parsing one takes longer than running it."""

    def __init__(self) -> None:
        self._states = boto3.client("stepfunctions", region_name=REGION)
        self._arns: dict[tuple[str, int | None], str] = {}
        self._names = itertools.count()

    def execute(
        self, name: str, given: dict[str, Any], functions: dict[str, Answer], bound: int | None = None
    ) -> Run:
        """Run a machine to its end; ``bound`` stands in for the number of rounds its loops may take."""
        run = Run()
        with _interpreter(functions, run):
            started = self._states.start_execution(
                stateMachineArn=self._made(name, bound),
                name=f"run-{next(self._names)}",
                input=json.dumps(given),
            )
            ended = self._ended(started["executionArn"])
        run.status = ended["status"]
        run.error, run.cause = ended.get("error") or "", ended.get("cause") or ""
        return run

    def _made(self, name: str, bound: int | None) -> str:
        if (name, bound) not in self._arns:
            text = substituted(name)
            if bound is not None:
                text = re.sub(r'("NumericLessThan": )\d+', rf"\g<1>{bound}", text)
            role = f"arn:aws:iam::{ACCOUNT}:role/states"
            made = self._states.create_state_machine(name=f"{name}-{bound}", definition=text, roleArn=role)
            self._arns[(name, bound)] = made["stateMachineArn"]
        return self._arns[(name, bound)]

    def _ended(self, execution: str) -> dict[str, Any]:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            found: dict[str, Any] = self._states.describe_execution(executionArn=execution)
            if found["status"] != "RUNNING":
                return found
            time.sleep(0.01)
        raise AssertionError(f"{execution} did not end within two minutes")


@contextmanager
def machines() -> Iterator[Machines]:
    """The interpreter with both machines in it."""
    from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser as Parser

    logging.getLogger("moto.stepfunctions").setLevel(logging.CRITICAL)
    with pytest.MonkeyPatch.context() as patched:
        # each execution parses its machine again, which takes as long as running it
        patched.setattr(Parser, "parse", staticmethod(functools.cache(Parser.parse)))
        with mock_aws(config={"stepfunctions": {"execute_state_machine": True}}), strict.installed():
            yield Machines()


@contextmanager
def _interpreter(functions: dict[str, Answer], run: Run) -> Iterator[None]:
    """moto's interpreter with our functions and without its sleeps; the patches are undone."""
    from moto.stepfunctions.parser.asl.component.common.retry import retrier_decl
    from moto.stepfunctions.parser.asl.component.state.exec.state_task import lambda_eval_utils
    from moto.stepfunctions.parser.asl.component.state.wait.wait_function.wait_function import WaitFunction

    def invoke(parameters: dict[str, Any], **_: Any) -> dict[str, Any]:
        function = parameters["FunctionName"].rsplit(":", 1)[-1]
        payload = json.loads(parameters["Payload"])
        run.asked.setdefault(function, []).append(payload)
        try:
            return {"StatusCode": 200, "Payload": functions[function](payload)}
        except Failure as failure:
            error = {"errorType": failure.error, "errorMessage": failure.cause}
            return {"StatusCode": 200, "FunctionError": "Unhandled", "Payload": error}

    def wait(self: Any, env: Any, wait_seconds: float) -> None:
        run.waited += wait_seconds

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(lambda_eval_utils, "_invoke_lambda_function", invoke)
        patched.setattr(WaitFunction, "_wait_interval", wait)
        patched.setattr(retrier_decl, "time", types.SimpleNamespace(sleep=lambda seconds: None))
        yield
