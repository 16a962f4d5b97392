"""Following: every event once, also one that was written late."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from shoal_cli.console import console
from shoal_cli.events import followed, line


def event(time: str, name: str, **fields: str) -> dict[str, Any]:
    whole = {"id": f"{time}#{name}", "time": time, "actor": "task_cluster", "target": "deployment"}
    return whole | {"status": "READY", "reason": ""} | fields


A = event("2026-11-26T14:00:00.000Z", "a")
B = event("2026-11-26T14:00:05.000Z", "b")
LATE = event("2026-11-26T14:00:04.900Z", "late")
C = event("2026-11-26T14:01:00.000Z", "c")


class FakeApi:
    """Each question is answered from the next state of the table."""

    def __init__(self, *states: list[dict[str, Any]]) -> None:
        self._states = list(states)
        self.asked: list[str] = []

    def events(self, name: str, after: str) -> Iterator[dict[str, Any]]:
        self.asked.append(after)
        state = self._states.pop(0) if len(self._states) > 1 else self._states[0]
        return iter([one for one in state if one["id"] > after])

    def deployment(self, name: str) -> dict[str, Any]:
        return {"status": "READY" if len(self._states) == 1 else "DEPLOYING"}


def test_an_event_that_was_written_late_is_not_missed() -> None:
    # Given
    api = FakeApi([A], [A, B], [A, LATE, B], [A, LATE, B, C])
    # When
    seen = list(itertools.islice(followed(api, "reef", poll_seconds=0), 4))  # type: ignore[arg-type]
    # Then
    assert seen == [A, B, LATE, C]
    assert api.asked == ["", "2026-11-26T13:59:50.000Z", *["2026-11-26T13:59:55.000Z"] * 2]


def test_until_settled_reads_to_the_last_event() -> None:
    api = FakeApi([A], [A, B], [A, B, C])
    assert list(followed(api, "reef", until_settled=True, poll_seconds=0)) == [A, B, C]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({}, "2026-11-26T14:00:00.000Z READY by task_cluster"),
        (
            {"target": "cluster shoal-dev-reef", "status": "MADE", "reason": "arn:aws"},
            "2026-11-26T14:00:00.000Z cluster shoal-dev-reef MADE by task_cluster: arn:aws",
        ),
        ({"reason": "[red]x[/]"}, "2026-11-26T14:00:00.000Z READY by task_cluster: [red]x[/]"),
    ],
)
def test_a_line_of_the_terminal(fields: dict[str, str], text: str) -> None:
    # When
    with console.capture() as shown:
        console.print(line(A | fields), soft_wrap=True)
    # Then
    assert shown.get() == f"{text}\n"
