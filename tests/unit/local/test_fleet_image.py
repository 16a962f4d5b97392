"""What stands in for the image, what a task prints, and faults on request."""

from __future__ import annotations

import io
import json
import os
import re
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError
from shoal_local.faults import Faults
from shoal_local.fleet.faults import FleetFault
from shoal_local.fleet.image import DEFAULT_ENTRYPOINT, command_line, image_environment, stage
from shoal_local.fleet.logs import LogPump
from shoal_local.fleet.placement import Resources
from shoal_local.fleet.process import ContainerProcess
from shoal_local.fleet.records import TaskRecord
from shoal_local.fleet.runner import TaskRunner

DOCKERFILE = Path(__file__).parents[3] / "worker" / "Dockerfile"


def test_the_entrypoint_is_the_dockerfiles() -> None:
    found = re.search(r"^ENTRYPOINT (\[.*\])$", DOCKERFILE.read_text(), re.MULTILINE)
    assert found
    assert json.loads(found.group(1)) == list(DEFAULT_ENTRYPOINT)


@pytest.mark.parametrize(
    ("container", "expected"),
    [
        ({}, [sys.executable, "-m", "shoal_worker"]),
        ({"command": ["--once"]}, [sys.executable, "-m", "shoal_worker", "--once"]),
        ({"entryPoint": ["sh", "-c"], "command": ["python3 x"]}, ["sh", "-c", "python3 x"]),
    ],
)
def test_a_command_is_entrypoint_and_command(container: dict[str, Any], expected: list[str]) -> None:
    assert command_line(DEFAULT_ENTRYPOINT, container) == expected


def test_the_image_shows_the_worker_and_the_contracts_and_no_more(tmp_path: Path) -> None:
    application = stage(tmp_path)
    assert stage(tmp_path) == application
    assert sorted(path.name for path in application.iterdir()) == ["shoal", "shoal_worker"]
    assert sorted(path.name for path in (application / "shoal").iterdir()) == ["__init__.py", "contracts"]
    assert (application / "shoal_worker" / "__main__.py").is_file()


def test_nothing_of_this_process_leaks_into_a_task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_OF_MINE", "x")
    environment = image_environment(tmp_path, tmp_path)
    assert "SECRET_OF_MINE" not in environment
    assert environment["PYTHONPATH"] == environment["TMPDIR"] == str(tmp_path)


class Logs:
    """CloudWatch Logs that keeps what it gets, or refuses."""

    class exceptions:
        ResourceAlreadyExistsException = KeyError

    def __init__(self, refuses: bool = False) -> None:
        self.refuses = refuses
        self.calls: list[tuple[str, Any]] = []

    def create_log_group(self, **given: Any) -> None:
        self.calls.append(("group", given))
        raise KeyError("there already")

    def create_log_stream(self, **given: Any) -> None:
        self.calls.append(("stream", given["logStreamName"]))

    def put_log_events(self, logEvents: list[dict[str, Any]], **_: Any) -> None:
        if self.refuses:
            raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "PutLogEvents")
        self.calls.append(("events", [event["message"] for event in logEvents]))


def test_lines_go_to_the_stream_and_the_file() -> None:
    # Given
    logs, file = Logs(), io.StringIO()
    pump = LogPump(logs, "g", "s", file)
    # When
    pump.open(create_group=True)
    for line in ("one\n", "\n", "two\n"):
        pump.write(line)
    pump.flush()
    pump.flush()
    # Then
    assert [kind for kind, _ in logs.calls] == ["group", "stream", "events"]
    assert logs.calls[-1] == ("events", ["one", "two"])
    assert file.getvalue() == "one\n\ntwo\n"


def test_refused_lines_stay_in_the_file(caplog: pytest.LogCaptureFixture) -> None:
    file = io.StringIO()
    pump = LogPump(Logs(refuses=True), "g", "s", file)
    pump.write("one\n")
    pump.flush()
    assert file.getvalue() == "one\n"
    assert "did not reach CloudWatch" in caplog.text


@pytest.mark.parametrize(
    ("command", "expected"),
    [("exit 3", 3), ("kill -TERM $$", 143), ("printf 'no end of line'", 0)],
    ids=["its code", "128 and the signal", "zero"],
)
def test_a_process_ends_with_dockers_exit_code(command: str, expected: int, tmp_path: Path) -> None:
    started: list[int] = []
    file = io.StringIO()
    process = ContainerProcess(["sh", "-c", command], dict(os.environ), tmp_path)
    assert process.run(LogPump(None, "", "", file), started.append) == expected
    assert started == [process.pid]
    if "printf" in command:
        assert file.getvalue() == "no end of line\n"


def test_a_missing_command_is_an_exit_code_and_a_line(tmp_path: Path) -> None:
    file = io.StringIO()
    process = ContainerProcess(["no-such-command"], dict(os.environ), tmp_path)
    assert process.run(LogPump(None, "", "", file), lambda _: None) != 0
    assert "FileNotFoundError" in file.getvalue()


def pulls(tmp_path: Path, allowed: bool, image: str) -> tuple[TaskRunner, list[tuple[str, str, str]]]:
    """A runner whose execution role may pull, or may not, and what was asked of IAM."""
    asked: list[tuple[str, str, str]] = []

    def authorize(role: str, action: str, resource: str) -> bool:
        asked.append((role, action, resource))
        return allowed

    task = TaskRecord("c", "arn:c", "arn:d", "service:s", "d", "EC2", None, [], Resources(), "0", "0")
    containers = [{"name": "w", "image": image}]
    definition = SimpleNamespace(container_definitions=containers, execution_role_arn="role/e")
    cloud: Any = SimpleNamespace(iam=SimpleNamespace(authorize_role=authorize))
    agent: Any = None
    return TaskRunner(cloud, agent, tmp_path, [], task, definition), asked


def test_an_image_of_ecr_is_pulled_as_the_execution_role(tmp_path: Path) -> None:
    image = "123456789012.dkr.ecr.us-west-2.amazonaws.com/shoal/worker@sha256:00"
    runner, asked = pulls(tmp_path, True, image)
    runner.pull()
    wanted = {
        "GetAuthorizationToken": "*",
        "BatchCheckLayerAvailability": "arn:aws:ecr:us-west-2:123456789012:repository/shoal/worker",
        "GetDownloadUrlForLayer": "arn:aws:ecr:us-west-2:123456789012:repository/shoal/worker",
        "BatchGetImage": "arn:aws:ecr:us-west-2:123456789012:repository/shoal/worker",
    }
    assert asked == [("role/e", f"ecr:{action}", resource) for action, resource in wanted.items()]


def test_a_role_that_may_not_pull_keeps_the_task_from_starting(tmp_path: Path) -> None:
    runner, _ = pulls(tmp_path, False, "123456789012.dkr.ecr.us-west-2.amazonaws.com/worker:1")
    with pytest.raises(LookupError, match="CannotPullContainerError"):
        runner.pull()


def test_another_registry_asks_nothing_of_iam(tmp_path: Path) -> None:
    runner, asked = pulls(tmp_path, False, "example.org/worker:1")
    runner.pull()
    assert asked == []


def test_faults_hit_by_a_part_of_the_name() -> None:
    faults = Faults()
    faults.set("reef", "crash")
    assert faults.fleet.hits("crash", "shoal-prod-reef")
    assert not faults.fleet.hits("crash", "shoal-prod-kelp")
    assert not faults.fleet.hits("capacity", "shoal-prod-reef")
    assert faults.listed() == [{"kind": "crash", "name": "reef"}]
    faults.clear()
    assert faults.listed() == []


def test_an_unknown_fault_says_which_there_are() -> None:
    with pytest.raises(ValueError, match="capacity, crash, unhealthy"):
        FleetFault(cast(Any, "flood"))


@pytest.mark.parametrize("late", ["RUNNING", "STOPPING"])
def test_nothing_leaves_stopped(late: str) -> None:
    task = TaskRecord("c", "arn:c", "arn:d", "service:s", "d", "EC2", None, [], Resources(), "0", "0")
    task.move("STOPPED")
    task.move(late)
    assert task.last_status == "STOPPED"
