"""Waiting: until nothing works on it, or until the deadline of the command."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from shoal_cli.watch import DidNotFinish, spent_in_words, watch_deployment, watch_jobs


class FakeApi:
    """Walks through statuses, one a question; stays at the last."""

    def __init__(self, *statuses: str) -> None:
        self._statuses = list(statuses)
        self.asked = 0

    def _next(self) -> str:
        self.asked += 1
        return self._statuses.pop(0) if len(self._statuses) > 1 else self._statuses[0]

    def deployment(self, name: str) -> dict[str, Any]:
        return {"name": name, "status": self._next(), "revision": 1, "reason": "no capacity"}

    def jobs(self, name: str) -> Iterator[dict[str, Any]]:
        status = self._next()
        yield {"job_id": "a", "status": status}
        yield {"job_id": "b", "status": "FAILED"}
        yield {"job_id": "somebody else's", "status": "QUEUED"}


@pytest.mark.parametrize(
    ("statuses", "final", "asked"),
    [
        (["READY"], "READY", 1),
        (["ACCEPTED", "DEPLOYING", "READY"], "READY", 3),
        (["DEPLOYING", "ROLLING_BACK", "FAILED"], "FAILED", 3),
        (["DELETING", "DELETE_INCOMPLETE"], "DELETE_INCOMPLETE", 2),
    ],
)
def test_a_deployment_is_watched_to_its_end(statuses: list[str], final: str, asked: int) -> None:
    # Given
    api = FakeApi(*statuses)
    # When
    seen = watch_deployment(api, "reef", timeout_seconds=5, poll_seconds=0)  # type: ignore[arg-type]
    # Then
    assert (seen["status"], api.asked) == (final, asked)


def test_the_deadline_is_an_error_that_says_the_work_goes_on() -> None:
    with pytest.raises(DidNotFinish, match="still DEPLOYING") as caught:
        watch_deployment(FakeApi("DEPLOYING"), "reef", timeout_seconds=-1, poll_seconds=0)  # type: ignore[arg-type]
    assert "goes on" in caught.value.advice


@pytest.mark.parametrize(
    ("spending", "expected"),
    [
        (None, ""),  # an API of before
        ({"usd": 0, "budget_usd": None, "workers": 0, "usd_per_hour": 1.0}, ""),
        (
            {"usd": 31.416, "budget_usd": 200.0, "workers": 4, "usd_per_hour": 1.01696},
            "about 31.42 of 200 USD, 4 workers at 1.017 USD an hour",
        ),
        ({"usd": 1, "budget_usd": None, "workers": 1, "usd_per_hour": None}, "about 1.00 USD, 1 workers"),
    ],
)
def test_what_was_spent_is_said_beside_the_budget(spending: dict[str, Any] | None, expected: str) -> None:
    assert spent_in_words(spending) == expected


def test_only_our_own_jobs_are_waited_for() -> None:
    # Given
    api = FakeApi("QUEUED", "RUNNING", "SUCCEEDED")
    # When
    records = watch_jobs(api, "reef", ["a", "b"], timeout_seconds=5, poll_seconds=0)  # type: ignore[arg-type]
    # Then
    assert [record["status"] for record in records] == ["SUCCEEDED", "FAILED"]
