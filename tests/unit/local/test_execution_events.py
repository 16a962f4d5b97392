"""What EventBridge is told of an execution's end, and which rules hear it."""

from __future__ import annotations

import json
import queue
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from moto import mock_aws
from moto.events.models import Rule
from shoal_local import execution_events
from shoal_local.patches import restore_all

MACHINE = "arn:aws:states:us-west-2:123456789012:stateMachine:deploy"


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    """moto as it was."""
    yield
    restore_all()


NOW = datetime(2026, 11, 26, 14, tzinfo=UTC)


def execution(status: str) -> Any:
    described = {
        "executionArn": "arn:x", "stateMachineArn": MACHINE, "name": "reef-r1-g1", "status": status,
        "input": '{"deployment":"reef"}',
    }  # fmt: skip
    return SimpleNamespace(
        to_describe_output=lambda: described, status=status, start_date=NOW, stop_date=NOW, exec_arn="arn:x"
    )


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The names of the rules that were told, in the order of telling."""
    names: list[str] = []
    monkeypatch.setattr(Rule, "send_to_targets", lambda self, event: names.append(self.name))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    with mock_aws():
        events = boto3.client("events", region_name="us-west-2")
        pattern = json.dumps({"source": ["aws.states"]})
        events.put_rule(Name="asks", EventPattern=pattern)
        events.put_rule(Name="disabled", EventPattern=pattern, State="DISABLED")
        events.put_rule(Name="schedule", ScheduleExpression="rate(1 minute)")
        yield names


def test_only_rules_with_a_pattern_hear_of_it(heard: list[str]) -> None:
    execution_events.emit(execution_events.status_change(execution("ABORTED")))
    assert heard == ["asks"]


def test_the_event_is_the_documented_one() -> None:
    # When
    event = execution_events.status_change(execution("TIMED_OUT"))
    # Then
    assert (event["source"], event["detail-type"]) == (
        "aws.states",
        "Step Functions Execution Status Change",
    )
    assert event["resources"] == ["arn:x"]
    detail = event["detail"]
    assert (detail["status"], detail["stateMachineArn"]) == ("TIMED_OUT", MACHINE)
    assert detail["startDate"] == int(NOW.timestamp() * 1000)
    assert json.loads(detail["input"]) == {"deployment": "reef"}
    assert (detail["error"], detail["cause"], detail["output"]) == (None, None, None)


WAITS = {"Type": "Wait", "Seconds": 60, "Next": "End"}
MISSING = {"Type": "Pass", "Parameters": {"plan.$": "$.plan"}, "Next": "End"}
"""What it asks for is not in the input: States.Runtime, which no Catch sees."""


@pytest.mark.parametrize(
    ("first", "timeout", "stop", "status", "error"),
    [
        ({"Type": "Succeed"}, 60, False, "SUCCEEDED", None),
        (WAITS, 60, True, "ABORTED", None),
        (WAITS, 1, False, "TIMED_OUT", None),
        (MISSING, 60, False, "FAILED", "States.Runtime"),
    ],
)
def test_every_end_of_an_execution_is_told(
    monkeypatch: pytest.MonkeyPatch,
    first: dict[str, Any],
    timeout: int,
    stop: bool,
    status: str,
    error: str | None,
) -> None:
    # Given
    told: queue.Queue[dict[str, Any]] = queue.Queue()
    monkeypatch.setattr(execution_events, "emit", told.put)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    definition = {
        "StartAt": "First",
        "TimeoutSeconds": timeout,
        "States": {"First": first, "End": {"Type": "Succeed"}},
    }
    with mock_aws(config={"stepfunctions": {"execute_state_machine": True}}):
        execution_events.install()
        states = boto3.client("stepfunctions", region_name="us-west-2")
        machine = states.create_state_machine(
            name="m", definition=json.dumps(definition), roleArn="arn:aws:iam::123456789012:role/states"
        )["stateMachineArn"]
        # When
        arn = states.start_execution(stateMachineArn=machine, name="x", input="{}")["executionArn"]
        if stop:
            wait_for(lambda: len(states.get_execution_history(executionArn=arn)["events"]) > 1)
            states.stop_execution(executionArn=arn)
        detail = told.get(timeout=60)["detail"]
    # Then
    assert (detail["status"], detail["executionArn"], detail["error"]) == (status, arn, error)
    assert told.empty()


def wait_for(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)
