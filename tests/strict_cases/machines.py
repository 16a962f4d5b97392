"""Step Functions: what a Choice state makes of a path that its input does not hold."""

from __future__ import annotations

import json
import time
from typing import Any

from moto import mock_aws
from strict_cases.behaviour import shows
from strict_world import Account

HERE = {"Variable": "$.given", "IsPresent": True}
FAILS: list[dict[str, Any]] = [
    {"Variable": "$.missing", "StringEquals": "a"},
    {"Variable": "$.missing", "BooleanEquals": True},
    {"Variable": "$.missing.deeper", "NumericLessThan": 1},
    {"Variable": "$.missing", "IsNull": True},
    {"Not": {"Variable": "$.missing", "BooleanEquals": True}},
    {"And": [HERE, {"Variable": "$.missing", "StringEquals": "a"}]},
]
HOLDS: list[dict[str, Any]] = [
    {"Variable": "$.given", "IsNull": True},
    {"Not": {"Variable": "$.missing", "IsPresent": True}},
    {"Not": {"And": [{"Variable": "$.missing", "IsPresent": True}, FAILS[0]]}},
    {"Or": [HERE, FAILS[0]]},
]


def chosen(a: Account, rules: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """How an execution of one Choice over ``{"given": null}`` ends, for each rule: its status and error."""
    with mock_aws(config={"stepfunctions": {"execute_state_machine": True}}):
        return [_chosen(a, number, rule) for number, rule in enumerate(rules)]


def _chosen(a: Account, number: int, rule: dict[str, Any]) -> tuple[str, str]:
    states = {
        "Choose": {"Type": "Choice", "Choices": [{**rule, "Next": "Holds"}], "Default": "Default"},
        "Holds": {"Type": "Succeed"},
        "Default": {"Type": "Fail", "Error": "Default"},
    }
    machine = a.stepfunctions.create_state_machine(
        name=f"m{number}",
        definition=json.dumps({"StartAt": "Choose", "States": states}),
        roleArn="arn:aws:iam::123456789012:role/states",
    )
    arn = a.stepfunctions.start_execution(
        stateMachineArn=machine["stateMachineArn"], name="e", input=json.dumps({"given": None})
    )["executionArn"]
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        found = a.stepfunctions.describe_execution(executionArn=arn)
        if found["status"] != "RUNNING":
            return found["status"], found.get("error", "")
        time.sleep(0.005)
    raise AssertionError("the execution did not end")


@shows()
def a_choice_over_a_missing_path_ends_the_execution(a: Account) -> None:
    ended = [("FAILED", "States.Runtime")] * len(FAILS) + [("SUCCEEDED", "")] * len(HOLDS)
    assert chosen(a, FAILS + HOLDS) == ended
