"""Dives on the command line: how they stand, followed, tried again, cancelled."""

from __future__ import annotations

from typing import Any, cast

import pytest
from shoal_cli import dives
from shoal_cli.api import Api
from shoal_cli.errors import CliError

DIVE = {
    "job_name": "D1", "submitted": 10, "succeeded": 2, "failed": 1, "cancelled": 0, "waiting": 7,
    "footage_hours": 1.9, "work_hours": 0.9, "usd": 0.91, "eta_hours": 2.5,
}  # fmt: skip


class Answers:
    """An API that answers one list of dives after the other."""

    def __init__(self, *answers: list[dict[str, Any]]) -> None:
        self._answers = list(answers)

    def dives(self, name: str) -> list[dict[str, Any]]:
        return self._answers.pop(0)


def api(*answers: list[dict[str, Any]]) -> Api:
    return cast(Api, Answers(*answers))


def test_a_dive_is_followed_to_its_end(capsys: pytest.CaptureFixture[str]) -> None:
    # Given
    over = DIVE | {"succeeded": 9, "waiting": 0, "footage_hours": 9, "eta_hours": 0.0}
    # When
    found = dives.follow(api([DIVE], [DIVE], [over]), "reef", "D1", 60, sleep=lambda seconds: None)
    # Then each change is said once
    assert found == [over]
    assert capsys.readouterr().out.splitlines() == [
        "D1: 3 of 10 videos, 1 failed, 1.9 hours of footage, 2.5 hours left",
        "D1: 10 of 10 videos, 1 failed, 9 hours of footage",
    ]


def test_a_dive_that_takes_too_long_is_left_alone() -> None:
    with pytest.raises(CliError, match="not done"):
        dives.follow(api([DIVE]), "reef", "", -1, sleep=lambda seconds: None)


@pytest.mark.parametrize(
    ("job", "job_id", "everything", "body"),
    [
        ("D1", "", False, {"job_name": "D1"}),
        ("", "j1", False, {"job_id": "j1"}),
        ("", "", True, {"all": True}),
        ("D1", "", True, {"job_name": "D1"}),
    ],
)
def test_what_is_meant_is_named(job: str, job_id: str, everything: bool, body: dict[str, Any]) -> None:
    assert dives.selection(job, job_id, everything) == body


@pytest.mark.parametrize(("job", "job_id", "word"), [("D1", "j1", "not both"), ("", "", "nothing was named")])
def test_nothing_is_changed_by_mistake(job: str, job_id: str, word: str) -> None:
    with pytest.raises(CliError, match=word):
        dives.selection(job, job_id, everything=False)


def test_a_large_dive_is_changed_in_several_calls() -> None:
    answers = [{"changed": 1000, "more": True}, {"changed": 20, "more": False}]
    assert dives.repeated(lambda body: answers.pop(0), {"all": True}) == 1020
