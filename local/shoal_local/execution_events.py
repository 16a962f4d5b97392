"""What Step Functions tells EventBridge of an execution's end, to every rule that asks for it.

Source: Step Functions guide, "Event delivery ... Step Functions Execution Status Change". moto tells nothing.
"""

from __future__ import annotations

import json
from typing import Any

from shoal_local.envelope import envelope
from shoal_local.names import backend
from shoal_local.patches import contract

_TERMINATED = contract(
    "moto.stepfunctions.parser.backend.execution", "BaseExecutionWorkerCommunication.terminated", "self"
)
contract("moto.events.models", "Rule.send_to_targets", "self original_event transform_input")


def install() -> None:
    """Tell the rules of the default bus when an execution ends; a second call replaces the first."""
    original = _TERMINATED.original

    def terminated(self: Any) -> None:
        original(self)
        emit(status_change(self.execution))

    _TERMINATED.replace(terminated)


def emit(event: dict[str, Any]) -> None:
    """An event of AWS's own on the default bus. A rule without a pattern is a schedule, and hears nothing."""
    for rule in list(backend("events").event_buses["default"].rules.values()):
        if rule.state == "ENABLED" and rule.event_pattern.get_pattern():
            rule.send_to_targets(event)


def status_change(execution: Any) -> dict[str, Any]:
    """The event of an execution as it is now; times in milliseconds, input and output as text."""
    described = execution.to_describe_output()
    detail = {
        key: described.get(key)
        for key in ("executionArn", "stateMachineArn", "name", "input", "output", "error", "cause")
    }
    detail |= {
        "status": str(execution.status),
        "startDate": _milliseconds(execution.start_date),
        "stopDate": _milliseconds(execution.stop_date),
        "inputDetails": {"included": True},
        "outputDetails": None if detail["output"] is None else {"included": True},
    }
    kind, plain = "Step Functions Execution Status Change", json.loads(json.dumps(detail))
    return envelope("aws.states", kind, execution.exec_arn, plain)


def _milliseconds(moment: Any) -> int | None:
    return int(moment.timestamp() * 1000) if moment else None
