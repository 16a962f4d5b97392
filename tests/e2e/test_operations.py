"""What goes wrong from outside: a deletion is stopped, a call is denied, a thing is owned by nobody."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from shoal_cli.doctor import FOUND
from shoal_local.faults import Fault

pytestmark = [pytest.mark.e2e, pytest.mark.long]

NAME = "shoal-prod-reef"


@pytest.fixture(scope="module")
def registered(house: Any) -> int:
    version: int = house.register()
    return version


@pytest.fixture
def folder(house: Any, tmp_path: Path) -> Path:
    """Where the command line finds this cloud."""
    house.cloud.write_state(tmp_path / ".shoal" / "local.json")
    return tmp_path


@pytest.fixture
def reef(house: Any, registered: int) -> Iterator[set[tuple[str, ...]]]:
    """A READY deployment; what the account held before it."""
    before: set[tuple[str, ...]] = house.account()
    ready = house.deploy("reef", serves=["endpoint"], model_version=registered, notify=["night@example.org"])
    assert ready["status"] == "READY", ready
    yield before
    house.cloud.faults.clear()
    if house.api.deployment("reef")["status"] != "DELETED":
        house.delete("reef")


def shoal(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "shoal_cli", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=150, check=False)


def until(holds: Callable[[], bool], what: str, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.1)


def test_a_deletion_that_is_stopped_goes_on_by_itself(house: Any, reef: set[tuple[str, ...]]) -> None:
    # Given a deletion in the middle
    house.api.delete("reef")
    until(lambda: bool(house.api.deployment("reef")["leftovers"]), "a pass says what it waits for")
    deletion = house.api.deployment("reef")
    machine = house.connection.outputs["DeleteStateMachine"].replace(":stateMachine:", ":execution:")
    # When
    house.connection.client("stepfunctions").stop_execution(executionArn=f"{machine}:reef-r1-g2")
    # Then
    final = house.settled("reef")
    assert (deletion["status"], final["status"]) == ("DELETING", "DELETED")
    assert (house.account() - reef, final["leftovers"]) == (set(), [])
    assert "recovery" in {event["actor"] for event in house.api.events("reef")}


def test_what_cannot_be_removed_is_named_with_its_cost_and_removed_when_the_cause_is_gone(
    house: Any, reef: set[tuple[str, ...]], folder: Path
) -> None:
    # Given
    denied = Fault("autoscaling", "DeleteAutoScalingGroup", "AccessDenied", status=403, times=1000)
    house.cloud.faults.add(denied)
    # When
    said = shoal(folder, "delete", "reef")
    # Then the command line, the API, the mail and the doctor say the same
    left = {one["kind"]: one for one in house.api.deployment("reef")["leftovers"]}
    assert house.api.deployment("reef")["status"] == "DELETE_INCOMPLETE"
    assert "AccessDenied" in left["auto_scaling_group"]["reason"]
    assert left["instance"]["usd_per_hour"] == 1.006
    assert "1.006 USD an hour" in said.stdout
    mail = house.cloud.mailbox()[-1]
    assert "reef is DELETE_INCOMPLETE" in mail["subject"]
    assert left["instance"]["name"] in mail["text"]
    report = shoal(folder, "doctor", "--now")
    assert report.returncode == FOUND, report.stdout + report.stderr
    assert f"left auto_scaling_group {NAME}" in report.stdout
    # When the cause is gone
    house.cloud.faults.clear()
    again = shoal(folder, "delete", "reef")
    # Then
    assert (again.returncode, house.account() - reef) == (0, set()), again.stdout + again.stderr
    assert shoal(folder, "doctor", "--now").returncode == 0


def test_what_nobody_owns_is_reported_and_stays(house: Any, folder: Path) -> None:
    # Given
    sqs = house.connection.client("sqs")
    url = sqs.create_queue(QueueName="shoal-prod-forgotten-jobs")["QueueUrl"]
    # When
    said = shoal(folder, "doctor", "--now")
    # Then
    assert said.returncode == FOUND
    assert "orphan queue shoal-prod-forgotten-jobs" in said.stdout
    assert sqs.get_queue_url(QueueName="shoal-prod-forgotten-jobs")["QueueUrl"] == url
    sqs.delete_queue(QueueUrl=url)
