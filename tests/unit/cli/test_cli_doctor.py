"""The doctor's report on a terminal, and where it comes from."""

from __future__ import annotations

from typing import Any

import pytest
from shoal_cli.doctor import lines, report_of
from shoal_cli.errors import ApiProblem
from shoal_cli.watch import left_in_words

FINDING = {
    "problem": "orphan", "kind": "instance", "name": "i-1", "usd_per_hour": 1.006, "reason": "no ledger [x]",
    "since": "2026-11-26T13:00:00.000Z", "advice": "aws ec2 terminate-instances --instance-ids i-1",
}  # fmt: skip
REPORT: dict[str, Any] = {
    "time": "2026-11-26T14:00:00.000Z", "deployments": 3, "usd_per_hour": 1.006, "findings": [FINDING],
    "blind": ["queues: Denied"],
}  # fmt: skip


class FakeApi:
    """No report is kept until one was asked for now."""

    def __init__(self, status: int = 404) -> None:
        self.asked: list[bool] = []
        self._status = status

    def doctor(self, now: bool = False) -> dict[str, Any]:
        self.asked.append(now)
        if not now:
            raise ApiProblem(self._status, "refused", "", [])
        return REPORT


@pytest.mark.parametrize(("now", "asked"), [(False, [False, True]), (True, [True])])
def test_without_a_report_one_is_made(now: bool, asked: list[bool]) -> None:
    api = FakeApi()
    assert report_of(api, now) == REPORT  # type: ignore[arg-type]
    assert api.asked == asked


def test_another_problem_is_told() -> None:
    with pytest.raises(ApiProblem, match="403"):
        report_of(FakeApi(403), now=False)  # type: ignore[arg-type]


def test_every_finding_says_its_cost_and_what_to_do() -> None:
    assert lines(REPORT) == [
        "[red]orphan[/red] instance i-1, 1.006 USD an hour, since 2026-11-26T13:00:00.000Z: no ledger \\[x]",
        "  aws ec2 terminate-instances --instance-ids i-1",
        "[yellow]not looked at[/yellow] queues: Denied",
        "3 deployments, 1 findings, 1.006 USD an hour; looked at 2026-11-26T14:00:00.000Z",
    ]


@pytest.mark.parametrize(("cost", "words"), [(None, "unknown cost"), (0.8048, "0.8048 USD an hour")])
def test_what_is_left_says_its_cost(cost: float | None, words: str) -> None:
    left = {"kind": "instance", "name": "i-1", "usd_per_hour": cost, "reason": "r", "advice": "a"}
    assert left_in_words(left) == f"instance i-1, {words}: r; what to do: a"
