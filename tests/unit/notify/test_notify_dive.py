"""The mail at the end of a dive: what it says in each case, and what cannot be smuggled into it."""

from __future__ import annotations

import html
import re
from html.parser import HTMLParser
from types import SimpleNamespace
from typing import Any

import pytest
from shoal.contracts.job import JobRecord
from shoal.jobs.dives import Dive
from shoal.notify import Mail, dive

HOSTILE = "<img src=x onerror=alert(1)>\"'&\u202e\x1b[2J\r\nBcc: evil@example.org\x9b"
REEF: Any = SimpleNamespace(name="reef", revision=3)


def mail(records: list[JobRecord] | None = None, **fields: Any) -> Mail:
    ended = {
        "job_name": "D1", "submitted": 3, "succeeded": 3, "failed": 0, "cancelled": 0, "waiting": 0,
        "footage_hours": 2.5, "work_hours": 1.25, "usd": 1.26, "eta_hours": 0.0,
        "created_at": "2026-11-26T10:00:00.000Z", "finished_at": "2026-11-26T12:13:20+00:00",
    }  # fmt: skip
    return dive.compose(REEF, Dive.model_validate(ended | fields), records or [], "dev", "data")


def failure(number: int, reason: str = "truncated") -> JobRecord:
    return JobRecord(job_id=f"{number}", deployment="reef", video=f"videos/reef/{number}.mp4", reason=reason)


ALL, NONE = "D1: 3 of 3 videos tracked", "D1: 0 of 3 videos tracked"


@pytest.mark.parametrize(
    ("fields", "subject", "says", "never"),
    [
        ({}, ALL, "Every video was tracked.", "failed:"),
        ({}, ALL, "wall time: 2 h 13 min", "redrive"),
        ({}, ALL, "cost: about 1.26 USD", "redrive"),
        ({}, ALL, "shoal results reef --job D1", "redrive"),
        ({"usd": None}, ALL, "footage: 2.5 hours", "cost"),
        ({"finished_at": None}, ALL, "GPU time: 1.25 hours", "wall time"),
        (
            {"succeeded": 1, "failed": 2},
            "D1: 1 of 3 videos tracked",
            "Some videos were tracked: 2 failed.",
            "No",
        ),
        (
            {"succeeded": 0, "failed": 2, "cancelled": 1},
            NONE,
            "No video was tracked: 2 failed and 1",
            "results",
        ),
        ({"submitted": 0, "succeeded": 0}, "D1: 0 of 0 videos tracked", "there was none", "results"),
    ],
)
def test_what_it_says(fields: dict[str, Any], subject: str, says: str, never: str) -> None:
    told = mail(**fields)
    assert told.subject == f"[shoal dev] {subject}"
    assert says in told.text
    assert never not in told.text
    assert says.rpartition(": ")[2] in html.unescape(told.html)


def test_fifty_failures_are_listed_and_the_others_counted() -> None:
    # Given
    told = mail([failure(number) for number in range(60)], succeeded=0, submitted=70, failed=70)
    # Then
    assert told.text.count(": truncated") == dive.FAILURES
    assert "And 20 more" in told.text


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.add(tag)


def test_no_name_or_reason_breaks_out_of_it() -> None:
    # Given a dive, a video and a reason that try
    bad = failure(0, HOSTILE).model_copy(update={"video": f"videos/{HOSTILE}.mp4"})
    told = mail([bad], job_name=HOSTILE, succeeded=2, failed=1)
    # When
    reader = _Reader()
    reader.feed(told.html)
    # Then
    assert "img" not in reader.tags
    assert not {"\r", "\n", "\x1b", "\u202e"} & set(told.subject)
    assert not re.search(r"^ {0,5}Bcc", told.text, re.MULTILINE)  # six spaces hang below a label
    assert not {"\x1b", "\u202e", "\x9b"} & set(told.text + told.html)
