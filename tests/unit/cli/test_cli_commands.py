"""The command line itself: help for everything, files read, errors without a traceback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from shoal_cli.connection import connect
from shoal_cli.demo.path import as_text, in_short, path
from shoal_cli.deployments import read_specification
from shoal_cli.errors import CliError, NoCloud
from shoal_cli.main import app
from shoal_cli.registry import parse_metrics
from typer.testing import CliRunner

COMMANDS = [
    [], ["deploy"], ["status"], ["delete"], ["events"], ["doctor"], ["process"], ["results"],
    ["jobs"], ["redrive"], ["cancel"], ["track"],
    ["retrack"], ["export"], ["reproduce"], ["demo"],
    ["registry"], ["registry", "add"], ["registry", "list"], ["registry", "show"],
    ["local"], ["local", "up"], ["local", "down"],
    ["update"], ["rollback"], ["history"], ["stop"], ["start"],
]  # fmt: skip


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_explains_itself(words: list[str]) -> None:
    # When
    result = CliRunner().invoke(app, [*words, "--help"])
    # Then
    assert result.exit_code == 0
    assert "Usage:" in result.output


def test_a_specification_is_read(tmp_path: Path) -> None:
    # Given
    (tmp_path / "m.yaml").write_text("StackName: Megadetector\nFleetSize: 1\n")
    # Then
    assert read_specification(tmp_path / "m.yaml") == {"StackName": "Megadetector", "FleetSize": 1}


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "could not be read"), ("- a\n- b\n", "no mapping"), ("a: [", "not YAML"), ("", "no mapping")],
)
def test_what_is_no_specification_is_refused(tmp_path: Path, content: str | None, message: str) -> None:
    # Given
    file = tmp_path / "m.yaml"
    if content is not None:
        file.write_text(content)
    # Then
    with pytest.raises(CliError, match=message):
        read_specification(file)


def test_metrics_are_numbers() -> None:
    assert parse_metrics(["auc=0.9", "idf1=1"]) == {"auc": 0.9, "idf1": 1.0}
    with pytest.raises(CliError, match="name=number"):
        parse_metrics(["auc"])


def test_without_a_cloud_the_error_says_how_to_start_one(tmp_path: Path) -> None:
    # When
    result = subprocess.run(
        [sys.executable, "-m", "shoal_cli", "status"], cwd=tmp_path, capture_output=True, text=True,
        env={name: value for name, value in os.environ.items() if name != "SHOAL_STACK"}
        | {"PYTHONPATH": os.pathsep.join(sys.path)}, check=False,
    )  # fmt: skip
    # Then
    assert result.returncode == NoCloud.exit_code
    assert "shoal local up" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("pid", [2**22 - 3])
def test_a_cloud_that_died_is_not_talked_to(tmp_path: Path, pid: int) -> None:
    # Given
    (tmp_path / "local.json").write_text(json.dumps({"pid": pid}))
    # Then
    with pytest.raises(NoCloud, match="stopped"):
        connect(state_file=tmp_path / "local.json")


def test_the_path_of_an_execution() -> None:
    # Given
    start = datetime(2026, 1, 1, tzinfo=UTC)
    events = [
        {"timestamp": start, "stateEnteredEventDetails": {"name": "Load Balancer"}},
        {"timestamp": start + timedelta(seconds=2)},
        {"timestamp": start + timedelta(seconds=3), "stateEnteredEventDetails": {"name": "Wait"}},
        {"timestamp": start + timedelta(seconds=7)},
    ]
    # When
    steps = path(events)
    # Then
    assert [(name, seconds) for name, _, seconds in steps] == [("Load Balancer", 3.0), ("Wait", 4.0)]
    assert as_text([("reef-r1-g1", "SUCCEEDED", steps)]).startswith("reef-r1-g1: SUCCEEDED in 7.0 s\n")
    assert in_short([*steps, *steps]) == "Load Balancer x2 6.0 s > Wait x2 8.0 s"
    assert path([]) == []
