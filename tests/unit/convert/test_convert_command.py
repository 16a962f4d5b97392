"""`shoal model convert`: the process it starts, what that process sees, and what its answers become."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from shoal_cli.convert.command import ConversionFailed, convert_checkpoint, read_size
from shoal_cli.main import app
from tiny_models import write_model
from typer.testing import CliRunner

SAID = {"layout": "yolov8", "classes": 3, "size": [96, 160], "difference": 1e-6}


def _interpreter(folder: Path, said: dict, status: int = 0, model: bytes = b"") -> Path:
    """Stands in for a Python with torch: notes what it was given, writes ``model``, and answers."""
    (folder / "made.bin").write_bytes(model)
    lines = [
        f"#!{sys.executable}", "import json, os, pathlib, sys",
        f"here = pathlib.Path({str(folder)!r})",
        "seen = {'arguments': sys.argv[1:], 'environment': dict(os.environ)}",
        "(here / 'seen.json').write_text(json.dumps(seen))",
        "pathlib.Path(sys.argv[6]).write_bytes((here / 'made.bin').read_bytes())",
        f"print({json.dumps(said)!r})", f"sys.exit({status})",
    ]  # fmt: skip
    path = folder / "python"
    path.write_text("\n".join(lines))
    path.chmod(0o755)
    return path


def test_the_process_sees_no_credential_and_its_model_is_verified(tmp_path, monkeypatch):
    # Given an environment with credentials, and an interpreter that makes a good model
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary")
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    model = write_model(tmp_path / "good.onnx", "yolov8").read_bytes()
    python = _interpreter(tmp_path, SAID, model=model)
    # When a checkpoint is converted
    said = convert_checkpoint(tmp_path / "best.pt", tmp_path / "best.onnx", (96, 160), python)
    # Then the file is there, nothing else is, and the process saw neither credential nor home
    assert said == SAID
    assert (tmp_path / "best.onnx").read_bytes() == model
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("shoal-convert-")] == []
    seen = json.loads((tmp_path / "seen.json").read_text())
    assert seen["arguments"][0] == "-I"
    assert seen["arguments"][-2:] == ["96", "160"]
    assert "canary" not in json.dumps(seen)
    assert "PYTHONPATH" not in seen["environment"]
    assert seen["environment"]["HOME"] != str(Path.home())


@pytest.mark.parametrize(
    ("said", "status", "says"),
    [
        ({"missing": "torch"}, 3, "has no torch: .*pip install torch onnx onnxscript"),
        ({"refused": "the checkpoint asks for os.system"}, 4, "os.system"),
        ({}, 1, "ended with 1"),
        ({}, 0, "ended with 0"),
        (SAID, 0, "not one that a worker opens"),
    ],
)
def test_what_went_wrong_is_said_and_nothing_is_written(tmp_path, said, status, says):
    python = _interpreter(tmp_path, said, status, model=b"no model")
    with pytest.raises(ConversionFailed, match=says):
        convert_checkpoint(tmp_path / "best.pt", tmp_path / "best.onnx", (0, 0), python)
    assert not (tmp_path / "best.onnx").exists()


def test_this_interpreter_without_torch_says_what_to_install(tmp_path):
    # Given the project's own environment, which has no torch
    pytest.importorskip("onnx")
    if "torch" in sys.modules or _has("torch"):
        pytest.skip("this environment has torch")
    (tmp_path / "best.pt").write_bytes(b"PK")
    # When a checkpoint is converted with it, Then the real process ran and said so
    with pytest.raises(ConversionFailed, match="--python"):
        convert_checkpoint(tmp_path / "best.pt", tmp_path / "best.onnx", (0, 0), Path(sys.executable))


def _has(module: str) -> bool:
    import importlib.util

    return importlib.util.find_spec(module) is not None


@pytest.mark.parametrize(("text", "size"), [("", (0, 0)), ("640", (640, 640)), ("384x640", (384, 640))])
def test_a_size_is_one_side_or_two(text, size):
    assert read_size(text) == size


@pytest.mark.parametrize("text", ["big", "1x2x3", "-1", "640x"])
def test_what_is_no_size_is_refused(text):
    with pytest.raises(ConversionFailed, match="--imgsz"):
        read_size(text)


def test_the_command_explains_itself():
    result = CliRunner().invoke(app, ["model", "convert", "--help"])
    assert result.exit_code == 0
    assert "checkpoint" in result.output.lower()
