"""What EventBridge is told of an execution's end, and which rules hear it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from moto import mock_aws
from moto.events.models import Rule
from shoal_local import execution_events

MACHINE = "arn:aws:states:us-west-2:123456789012:stateMachine:deploy"
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
