"""No model file runs code: each is refused, nothing of it runs, nothing else is read or written."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hostile_graphs import GRAPHS
from hostile_models import FILES, Bomb, pickled
from shoal_worker import model as model_module
from shoal_worker.errors import ModelError
from shoal_worker.model import load_model
from shoal_worker.onnxfile import verify_onnx
from tiny_models import write_model

RUNS = {
    "pickle.find_class", "os.system", "os.exec", "os.fork", "os.posix_spawn", "subprocess.Popen", "exec",
    "import", "ctypes.dlopen", "socket.connect", "marshal.loads",
}  # fmt: skip
"""Audit events (PEP 578) of which every way to run something raises one."""
REACH_THE_RUNTIME = {name for name in FILES if "names" in name or "size" in name or "stride" in name} | {
    "an input of terabytes", "a graph that goes round in circles",
}  # fmt: skip
"""Good graphs but for what they say of themselves, and what only the runtime looks at."""


class Watch:
    """What this process did while it was watched: events that run something, and files that it opened."""

    def __init__(self) -> None:
        self.on = False
        self.ran: list[str] = []
        self.opened: list[Path] = []
        sys.addaudithook(self._hear)

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.on:
            return
        if event in RUNS:
            self.ran.append(f"{event} {arguments!r}"[:200])
        if event == "open" and isinstance(arguments[0], str):
            self.opened.append(Path(arguments[0]))

    @contextmanager
    def __call__(self) -> Iterator[None]:
        self.ran, self.opened, self.on = [], [], True
        try:
            yield
        finally:
            self.on = False


@pytest.fixture(scope="module")
def watch(tmp_path_factory: pytest.TempPathFactory) -> Watch:
    """A hook cannot be taken off again; one for the file. What is imported late is imported before."""
    load_model(write_model(tmp_path_factory.mktemp("good") / "m.onnx", "yolov8"))
    return Watch()


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is also the place for temporary files."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "scratch"))
    (tmp_path / "scratch").mkdir()
    return tmp_path


def test_there_are_more_than_thirty_kinds() -> None:
    assert len(GRAPHS) >= 30
    assert len(FILES) >= 40


def test_the_watch_sees_a_pickle_run(watch: Watch, tmp_path: Path) -> None:
    # Given what a loader that trusts its file would do
    import pickle

    data, canary = pickled(tmp_path / "canary"), tmp_path / "canary"
    # When
    with watch():
        pickle.loads(data)
    # Then the canary is there, and the watch has seen it
    assert canary.read_text() == "ran"
    assert any(event.startswith("pickle.find_class") for event in watch.ran)
    assert canary in watch.opened
    assert Bomb(canary).canary == canary


@pytest.mark.parametrize("name", list(FILES))
def test_no_file_runs_anything(name: str, watch: Watch, room: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given
    file, make, says = FILES[name]
    make(room / file, room / "canary")
    before = sorted(room.rglob("*"))
    opened = _sessions(monkeypatch)
    # When
    with watch(), pytest.raises(ModelError, match=says):
        load_model(room / file)
    # Then
    assert watch.ran == []
    assert [path for path in watch.opened if not path.is_relative_to(room)] == []
    assert sorted(room.rglob("*")) == before
    assert opened == [] or name in REACH_THE_RUNTIME


@pytest.mark.parametrize("name", list(GRAPHS))
def test_no_graph_reaches_a_runtime(
    name: str, watch: Watch, room: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given
    make, says = GRAPHS[name]
    path = room / "m.onnx"
    path.write_bytes(make().SerializeToString())
    opened = _sessions(monkeypatch)
    # When
    with watch(), pytest.raises(ModelError, match=says):
        load_model(path)
    with pytest.raises(ModelError, match=says):
        verify_onnx(path)
    # Then
    assert (watch.ran, opened) == ([], [])
    assert set(watch.opened) == {path}


def _sessions(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that a runtime was given."""
    opened: list[Path] = []
    real: Callable[..., Any] = model_module.open_backend

    def noted(path: Path, *given: Any, **more: Any) -> Any:
        opened.append(path)
        return real(path, *given, **more)

    monkeypatch.setattr(model_module, "open_backend", noted)
    return opened
