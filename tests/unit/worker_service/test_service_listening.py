"""Where the worker listens (TCP or a Unix socket) and what a crash leaves behind."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from shoal_worker.service import healthcheck
from shoal_worker.service.crash import crash_dumps
from shoal_worker.service.endpoint import ServiceState, create_app
from shoal_worker.service.errors import ConfigurationError
from shoal_worker.service.progress import Activity
from shoal_worker.service.server import HttpServer, open_unix_socket


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A short path: a Unix socket's has at most 107 bytes."""
    monkeypatch.chdir(tmp_path)
    return Path("worker.sock")


def test_a_unix_socket_answers_like_tcp_and_is_removed(tmp_path: Path, place: Path) -> None:
    # Given
    server = HttpServer(create_app(ServiceState(Activity(), tmp_path, {})), open_unix_socket(place))
    server.start()
    environment = {
        "SHOAL_DEPLOYMENT": "reef", "SHOAL_MODEL": "m.onnx", "SHOAL_SERVES": "endpoint",
        "SD_API_TRANSPORT": "2", "SHOAL_WORK_DIR": str(tmp_path),
    }  # fmt: skip
    # When
    connection = healthcheck._UnixConnection(str(place))
    connection.request("GET", "/health", headers={"Host": "localhost"})
    answer = connection.getresponse()
    body = answer.read().decode()
    connection.close()
    checked = healthcheck.main(environment)
    mode = place.stat().st_mode & 0o777
    server.stop(5)
    # Then: not ready, but heard; and the container's own check heard it too
    assert (answer.status, "being loaded" in body, checked, mode) == (503, True, 1, 0o660)
    assert not place.exists()
    with pytest.raises((FileNotFoundError, http.client.HTTPException)):
        healthcheck._UnixConnection(str(place)).request("GET", "/health")


def test_a_dead_workers_socket_is_replaced_and_a_living_ones_is_not(place: Path) -> None:
    # Given a socket file that nobody listens on
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(place))
    # When / Then
    with open_unix_socket(place), pytest.raises(ConfigurationError, match="another process listens"):
        open_unix_socket(place)


def test_a_file_that_is_no_socket_is_kept(place: Path) -> None:
    place.write_text("mine")
    with pytest.raises(ConfigurationError, match="set SHOAL_SOCKET"):
        open_unix_socket(place)
    assert place.read_text() == "mine"


_CRASH = """
import os, sys
from pathlib import Path
from shoal_worker.service.crash import crash_dumps
with crash_dumps(Path(sys.argv[1])):
    os.kill(os.getpid(), int(sys.argv[2]))
"""


def test_a_crash_leaves_the_stacks(tmp_path: Path) -> None:
    # When
    environment = {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", _CRASH, str(tmp_path / "dumps"), str(int(signal.SIGSEGV))]
    done = subprocess.run(command, env=environment, capture_output=True, timeout=60, check=False)
    # Then
    assert done.returncode == -signal.SIGSEGV
    (dump,) = (tmp_path / "dumps").iterdir()
    assert dump.name.startswith("crash-")
    assert "Segmentation fault" in dump.read_text()
    assert 'File "<string>", line 6' in dump.read_text()


def test_a_run_without_a_crash_leaves_nothing(tmp_path: Path) -> None:
    with crash_dumps(tmp_path) as target:
        assert target is not None
        assert target.exists()
    assert list(tmp_path.iterdir()) == []
    with crash_dumps(None) as nowhere:
        assert nowhere is None


def test_a_folder_that_cannot_be_written_is_told_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="SHOAL_CRASH_DIR"), crash_dumps(tmp_path / "file" / "in"):
        pass
