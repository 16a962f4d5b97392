"""`shoal manifest`: a list goes up, is submitted, and is told of."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from shoal_cli import manifests
from shoal_cli.dives import sentence_of as sentence_of_dive
from shoal_cli.errors import CliError

TAKEN = {
    "job_name": "D1", "status": "READING", "reason": "", "read": 30, "lines": 90, "new": 28, "known": 1,
    "missing": 0, "malformed": 1, "wrong": [{"line": 3, "detail": "it is no JSON"}],
}  # fmt: skip


class Uploads:
    """Keeps what was uploaded."""

    def __init__(self) -> None:
        self.done: list[tuple[str, str, str]] = []
        self.data_bucket = "data"

    def client(self, _: str) -> Any:
        return SimpleNamespace(upload_file=lambda path, bucket, key: self.done.append((path, bucket, key)))


def test_a_file_is_uploaded_below_its_deployment(tmp_path: Path) -> None:
    # Given
    path, connection = tmp_path / "D1.csv", Uploads()
    path.write_text("videos/reef/a.mp4\n")
    # When
    uri = manifests.upload(connection, "reef", path)  # type: ignore[arg-type]
    # Then
    assert uri == "s3://data/manifests/reef/D1.csv"
    assert connection.done == [(str(path), "data", "manifests/reef/D1.csv")]


def test_what_is_no_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CliError, match="is no file"):
        manifests.upload(Uploads(), "reef", tmp_path)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "D1: READING, 30 of 90 lines read: 28 new, 1 known, 0 missing, 1 malformed"),
        (
            {"status": "FAILED", "reason": "it was replaced"},
            "D1: FAILED (it was replaced), 30 of 90 lines read: 28 new, 1 known, 0 missing, 1 malformed",
        ),
    ],
)
def test_how_far_it_is_in_words(changes: dict[str, str], expected: str) -> None:
    assert manifests.sentence_of(TAKEN | changes) == expected


def test_malformed_lines_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    manifests.print_manifest(TAKEN)
    shown = capsys.readouterr().out
    assert "it is no JSON" in shown


def test_a_dive_says_how_far_its_list_is_read() -> None:
    dive = {
        "job_name": "D1", "submitted": 28, "waiting": 28, "failed": 0, "footage_hours": 0, "eta_hours": None,
        "reading": True, "manifest": TAKEN,
    }  # fmt: skip
    assert "0 of 28 videos, 30 of 90 lines read" in sentence_of_dive(dive)
