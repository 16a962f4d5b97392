"""One process: readiness, faults while loading, and the end."""

from __future__ import annotations

import io
import json
import logging
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest
from shoal_worker.service import supervisor as supervisor_module
from shoal_worker.service.consumer import Consumer
from shoal_worker.service.endpoint import ServiceState
from shoal_worker.service.errors import ConfigurationError, Transient
from shoal_worker.service.healthcheck import ALIVE_FILE, main
from shoal_worker.service.logs import JsonFormatter, configure_logs
from shoal_worker.service.progress import Activity
from shoal_worker.service.server import open_socket
from shoal_worker.service.supervisor import EXIT_CONFIGURATION, EXIT_DIED, Supervisor


class Model:
    def describe(self) -> dict[str, Any]:
        return {"model": {"name": "m"}, "backend": "cpu"}


@dataclass
class Worker:
    """A consumer that ends, waits for the stop, or hangs; one that is cut off cannot release either."""

    stop: threading.Event
    manner: str = "waits"
    released: list[str] = field(default_factory=list)
    free: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        if self.manner == "waits":
            self.stop.wait(20)
        if self.manner in {"hangs", "is cut off"}:
            self.free.wait(20)

    def release_current(self) -> None:
        if self.manner == "is cut off":
            self.free.wait(20)
        self.released.append("released")


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor_module, "_LOAD_WAITS", (0.0, 0.0))
    monkeypatch.setattr(supervisor_module, "_LOOK_SECONDS", 0.01)
    monkeypatch.setattr(supervisor_module, "STOP_SECONDS", 0.1)
    monkeypatch.setattr(supervisor_module, "RELEASE_SECONDS", 0.05)
    monkeypatch.setattr(signal, "signal", lambda *_: None)


@dataclass
class Stage:
    tmp: Path
    stop: threading.Event = field(default_factory=threading.Event)

    def run(self, load: Callable[[], Any]) -> tuple[int, ServiceState]:
        state = ServiceState(Activity(), self.tmp, {})
        return Supervisor(load, state, None, self.stop, self.tmp / ALIVE_FILE).run(), state


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def test_a_stop_ends_it_with_0_and_it_was_alive(stage: Stage) -> None:
    # Given a model that loads, then an order to stop
    def load() -> Any:
        threading.Timer(0.1, stage.stop.set).start()
        return Model(), cast(Consumer, Worker(stage.stop))

    # When
    status, state = stage.run(load)
    # Then
    assert (status, state.status()["ready"]) == (0, True)
    assert (stage.tmp / ALIVE_FILE).exists()


@pytest.mark.parametrize(
    ("faults", "expected", "ready"),
    [
        ([Transient("S3 is slow")], 0, True),
        ([Transient("slow")] * 3, EXIT_CONFIGURATION, False),
        ([ConfigurationError("no such model")], EXIT_CONFIGURATION, False),
        ([KeyError("defect")], EXIT_DIED, False),
    ],
)
def test_a_fault_while_loading(
    faults: list[Exception], expected: int, ready: bool, stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    waiting = list(faults)

    def load() -> Any:
        if waiting:
            raise waiting.pop(0)
        threading.Timer(0.05, stage.stop.set).start()
        return Model(), None

    with caplog.at_level(logging.WARNING):
        status, state = stage.run(load)
    assert (status, state.status()["ready"]) == (expected, ready)
    assert str(faults[0]).strip("'") in caplog.text


def test_the_end_of_the_consumer_ends_the_process(stage: Stage) -> None:
    status, _ = stage.run(lambda: (Model(), cast(Consumer, Worker(stage.stop, "ends"))))
    assert status == EXIT_DIED


@pytest.mark.parametrize(("manner", "released"), [("hangs", ["released"]), ("is cut off", [])])
def test_a_hung_consumer_is_released_and_left(
    manner: str, released: list[str], stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a consumer inside a native call, and perhaps no answer from AWS
    left: list[list[str]] = []
    worker = Worker(stage.stop, manner)
    monkeypatch.setattr(supervisor_module.os, "_exit", lambda status: left.append([*worker.released]))

    def load() -> Any:
        threading.Timer(0.05, stage.stop.set).start()
        return Model(), cast(Consumer, worker)

    # When
    stage.run(load)
    worker.free.set()
    # Then
    assert left == [released]


def test_a_taken_port_is_told() -> None:
    with (
        open_socket("127.0.0.1", 0) as taken,
        pytest.raises(ConfigurationError, match="set SHOAL_PORT"),
    ):
        open_socket("127.0.0.1", taken.getsockname()[1])


QUEUE = {
    "SHOAL_DEPLOYMENT": "reef", "SHOAL_MODEL": "m.onnx", "VIDEO_QUEUE": "q", "VIDEO_BUCKET": "b",
    "TRACK_BUCKET": "t", "JOBS_TABLE": "j",
}  # fmt: skip


@pytest.mark.parametrize(
    ("age", "expected", "word"), [(None, 1, "has not started"), (0, 0, ""), (500, 1, "has not moved")]
)
def test_the_health_check_without_an_endpoint(
    age: int | None, expected: int, word: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if age is not None:
        (tmp_path / ALIVE_FILE).touch()
        stamp = (tmp_path / ALIVE_FILE).stat().st_mtime - age
        supervisor_module.os.utime(tmp_path / ALIVE_FILE, (stamp, stamp))
    assert main(QUEUE | {"SHOAL_WORK_DIR": str(tmp_path)}) == expected
    assert word in capsys.readouterr().err


def test_the_health_check_with_an_endpoint_asks_it(capsys: pytest.CaptureFixture[str]) -> None:
    with open_socket("127.0.0.1", 0) as free:
        port = free.getsockname()[1]
    given = QUEUE | {"SHOAL_SERVES": "endpoint", "SHOAL_PORT": str(port)}
    assert main(given) == 1
    assert f"no answer on port {port}" in capsys.readouterr().err


def test_the_health_check_tells_a_wrong_environment(capsys: pytest.CaptureFixture[str]) -> None:
    assert main({}) == 1
    assert "SHOAL_DEPLOYMENT" in capsys.readouterr().err


def test_a_log_line_is_one_ascii_json_object() -> None:
    # Given
    record = logging.LogRecord("shoal_worker", logging.INFO, "f", 1, "vid\u00e9o \x1b[31m%s\n", ("x",), None)
    record.job = "j1"
    # When
    line = JsonFormatter({"deployment": "reef"}).format(record)
    # Then
    parsed = json.loads(line)
    assert line.isascii()
    assert line.isprintable()
    assert (parsed["message"], parsed["job"], parsed["deployment"]) == (
        "vid\u00e9o \x1b[31mx\n",
        "j1",
        "reef",
    )
    assert parsed["timestamp"].endswith("+00:00")


def test_every_logger_of_the_process_speaks_json(monkeypatch: pytest.MonkeyPatch) -> None:
    stream, root = io.StringIO(), logging.getLogger()
    monkeypatch.setattr(root, "handlers", list(root.handlers))
    monkeypatch.setattr(root, "level", root.level)
    configure_logs({"deployment": "reef"}, stream)
    logging.getLogger("uvicorn.error").error("broken", exc_info=ValueError("inside"))
    assert "ValueError: inside" in json.loads(stream.getvalue())["exception"]
