"""`shoal update`, `rollback`, `history`, `stop`, `start` against an API that holds one deployment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from shoal_cli import changes, deployments
from shoal_cli.console import console
from shoal_cli.deployments import DeploymentFailed
from shoal_cli.errors import CliError
from shoal_cli.main import app
from typer.testing import CliRunner


class Cloud:
    """One deployment; ``breaks``: every revision from this number on fails and returns to revision 1."""

    def __init__(self, breaks: int = 99) -> None:
        self.breaks, self.numbers = breaks, 1
        self.state: dict[str, Any] = {"name": "reef", "status": "READY", "revision": 1, "reason": ""}
        self.asked: list[tuple[str, Any]] = []

    def update(self, name: str, specification: dict[str, Any]) -> dict[str, Any]:
        self.asked.append((name, specification))
        self.numbers += 1
        self.state |= {"status": "UPDATING", "revision": self.numbers}
        return dict(self.state)

    def deploy(self, specification: dict[str, Any]) -> dict[str, Any]:
        return self.update("reef", specification)

    def change(self, name: str, action: str, body: dict[str, Any]) -> dict[str, Any]:
        self.asked.append((action, body))
        becomes = {"rollback": "UPDATING", "stop": "STOPPING", "start": "STARTING"}
        self.state |= {"status": becomes[action], "revision": body.get("revision", self.state["revision"])}
        return dict(self.state)

    def deployment(self, name: str) -> dict[str, Any]:
        """The next look finds it done."""
        self.state["status"] = "STOPPED" if self.state["status"] == "STOPPING" else "READY"
        if self.state["revision"] >= self.breaks:
            self.state |= {"revision": 1, "reason": "revision 2 failed, revision 1 serves: no capacity"}
        return dict(self.state)

    def revisions(self, name: str) -> list[dict[str, Any]]:
        who = {"actor": "arn:aws:iam::1:user/scientist", "time": "2026-11-26T10:00:00Z"}
        change = {"action": "rollback", "outcome": "READY", "reason": "fewer false jellies"} | who
        return [{"revision": 1, "wanted": True, "changed": [], "changes": [change]}]


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Cloud:
    one = Cloud()
    for module in (changes, deployments):
        monkeypatch.setattr(module, "connect", lambda stack: stack)
        monkeypatch.setattr(module, "Api", lambda connection: one)
    return one


@pytest.mark.parametrize(
    ("words", "asked", "said"),
    [
        (["rollback", "reef"], ("rollback", {"reason": ""}), "READY"),
        (
            ["rollback", "reef", "--revision", "3", "--reason", "why"],
            ("rollback", {"reason": "why", "revision": 3}),
            "revision 3",
        ),
        (["stop", "reef", "--reason", "night"], ("stop", {"reason": "night"}), "STOPPED"),
        (["start", "reef"], ("start", {"reason": ""}), "READY"),
        (["stop", "reef", "--no-wait"], ("stop", {"reason": ""}), "STOPPING"),
    ],
)
def test_a_command_asks_and_waits(cloud: Cloud, words: list[str], asked: Any, said: str) -> None:
    # When
    result = CliRunner().invoke(app, words)
    # Then
    assert result.exit_code == 0, result.output
    assert cloud.asked == [asked]
    assert said in result.output


def test_an_update_is_sent_to_its_deployment(cloud: Cloud, tmp_path: Path) -> None:
    # Given
    (tmp_path / "reef.yaml").write_text("name: reef\nfleet_size: 2\n")
    # When
    result = CliRunner().invoke(app, ["update", str(tmp_path / "reef.yaml")])
    # Then
    assert (result.exit_code, cloud.asked) == (0, [("reef", {"name": "reef", "fleet_size": 2})])


def test_a_file_without_a_name_updates_nothing(cloud: Cloud, tmp_path: Path) -> None:
    (tmp_path / "reef.yaml").write_text("fleet_size: 2\n")
    result = CliRunner().invoke(app, ["update", str(tmp_path / "reef.yaml")])
    assert isinstance(result.exception, CliError)
    assert cloud.asked == []


@pytest.mark.parametrize("command", ["update", "deploy"])
def test_an_update_that_was_rolled_back_is_no_success(cloud: Cloud, tmp_path: Path, command: str) -> None:
    # Given
    cloud.breaks = 2
    (tmp_path / "reef.yaml").write_text("name: reef\n")
    # When
    result = CliRunner().invoke(app, [command, str(tmp_path / "reef.yaml")])
    # Then
    assert isinstance(result.exception, DeploymentFailed)
    assert "no capacity" in result.exception.message


def test_history_says_who_and_why(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console, "width", 160)
    result = CliRunner().invoke(app, ["history", "reef"])
    assert all(word in result.output for word in ("1 *", "rollback", "scientist", "fewer false jellies"))
