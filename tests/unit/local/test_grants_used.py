"""Reports of several clouds are read as one run: denied in one is denied, unused in all is unused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import grants_used
import pytest

READ, WRITE = {"statement": "Table", "action": "get"}, {"statement": "Table", "action": "put"}


def bucket(tail: str = "") -> dict[str, str]:
    return {
        "statement": "Read",
        "resource": f"arn:aws:s3:::shoal-prod-data{'-' + tail if tail else ''}/models/*",
    }


def entry(
    *unused: dict[str, str], denied: tuple[str, ...] = (), spare: tuple[dict[str, str], ...] = ()
) -> dict[str, Any]:
    return {"unused": list(unused), "denied": list(denied), "spare": list(spare)}


@pytest.mark.parametrize(
    ("reports", "unused", "denied"),
    [
        ([{"shoal-api": entry(READ)}], [READ], []),
        ([{"shoal-api": entry(READ, WRITE)}, {"shoal-api": entry(WRITE)}], [WRITE], []),
        ([{"shoal-api": entry(READ)}, {"shoal-api": entry(WRITE)}], [], []),
        ([{"shoal-api": entry()}, {"shoal-api": entry(READ, denied=("put",))}], [], ["put"]),
        ([{"shoal-api": entry(), "instance": entry(denied=("get",))}], [], []),
        ([{"shoal-api-IRUE322O69P1": entry(READ)}, {"shoal-api-XS4X6PM5X2JM": entry()}], [], []),
        (
            [{"shoal-api": entry(bucket("yh7r03b265hr"))}, {"shoal-api": entry(bucket("bckpskqpc3o3"))}],
            [bucket()],
            [],
        ),
    ],
    ids=[
        "one cloud",
        "used by the other",
        "each used by one",
        "denied in one",
        "not ours",
        "two stacks",
        "two buckets",
    ],
)
def test_reports_of_several_clouds_are_one(
    reports: list[dict[str, Any]], unused: list[dict[str, str]], denied: list[str]
) -> None:
    whole = grants_used.merged(reports)["shoal-api"]
    assert (whole["unused"], whole["denied"]) == (unused, denied)


def test_a_grant_is_spare_only_where_no_cloud_depends_on_it() -> None:
    reports = [{"shoal-api": entry(spare=(READ, WRITE))}, {"shoal-api": entry(spare=(WRITE,))}]
    assert grants_used.merged(reports)["shoal-api"]["spare"] == [WRITE]


@pytest.mark.parametrize(
    ("report", "code"),
    [
        ({"shoal-api": entry()}, 0),
        ({"shoal-api": entry(READ)}, 1),
        ({"shoal-api": entry(denied=("put",))}, 1),
        ({"shoal-api": entry(spare=(READ,))}, 1),
        (None, 1),
    ],
    ids=["all used", "one unused", "one denied", "one could go", "no cloud at all"],
)
def test_the_run_ends_red_where_a_grant_is_idle(
    report: dict[str, Any] | None, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given
    monkeypatch.setenv(grants_used.FOLDER, str(tmp_path / "reports"))
    if report is not None:
        grants_used.keep(report)
    # When / Then
    assert grants_used.main(tmp_path / "reports") == code
    assert not report or json.loads(next((tmp_path / "reports").iterdir()).read_text()) == report
