"""The state machine's path: which states an execution entered, when, and how long each took."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from shoal_cli.connection import Connection

Step = tuple[str, datetime, float]
"""State name, time of entry, seconds until the next entry."""
_INSTANT_SECONDS = 0.05


def executions(connection: Connection) -> list[tuple[str, str, list[Step]]]:
    """Each execution of the two machines: (name, status, path)."""
    client = connection.client("stepfunctions")
    found = []
    for machine in client.list_state_machines()["stateMachines"]:
        for execution in client.list_executions(stateMachineArn=machine["stateMachineArn"])["executions"]:
            history = _history(client, execution["executionArn"])
            found.append((execution["name"], execution["status"], path(history)))
    return sorted(found, key=lambda item: item[2][0][1] if item[2] else datetime.max)


def _history(client: Any, arn: str) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = []
    token: dict[str, str] = {}
    while True:
        page = client.get_execution_history(executionArn=arn, maxResults=1000, **token)
        events += page["events"]
        if not page.get("nextToken"):
            return events
        token = {"nextToken": page["nextToken"]}


def path(events: list[dict[str, Any]]) -> list[Step]:
    """States in order of entry with the seconds until the next one (or the end)."""
    entries = [
        (event["stateEnteredEventDetails"]["name"], event["timestamp"])
        for event in events
        if "stateEnteredEventDetails" in event
    ]
    ends = [time for _, time in entries[1:]] + [events[-1]["timestamp"]] if entries else []
    return [
        (name, time, (end - time).total_seconds()) for (name, time), end in zip(entries, ends, strict=True)
    ]


def in_short(steps: list[Step]) -> str:
    """The path in one line: each state once, with its visits and seconds; instant ones are left out."""
    spent: dict[str, list[float]] = {}
    for name, _, seconds in steps:
        spent.setdefault(name, []).append(seconds)
    return " > ".join(
        f"{name}{f' x{len(times)}' if len(times) > 1 else ''} {sum(times):.1f} s"
        for name, times in spent.items()
        if sum(times) >= _INSTANT_SECONDS
    )


def as_text(found: list[tuple[str, str, list[Step]]]) -> str:
    """A readable page."""
    lines: list[str] = []
    for name, status, steps in found:
        total = sum(seconds for *_, seconds in steps)
        lines.append(f"{name}: {status} in {total:.1f} s")
        lines += [f"  {time:%H:%M:%S}  {state:<28} {seconds:6.2f} s" for state, time, seconds in steps]
    return "\n".join(lines) + "\n"
