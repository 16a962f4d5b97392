"""What a CI run does: fetch the model, record the image."""

from __future__ import annotations

from pathlib import Path

import pytest
from rest_world import World
from shoal import registry
from shoal.contracts.registry import Registration
from shoal.registry.ci import main

RECORD = ["record-image", "--model", "reef", "--image", "i:1"]
DIGEST = f"sha256:{'ab' * 32}"


@pytest.fixture
def registered(world: World) -> World:
    location = world.put("shoal-data", "models/reef/reef.onnx")
    body = {"model": "reef", "versions": [{"s3_location": location}]}
    registry.register(Registration.model_validate(body))
    return world


@pytest.mark.parametrize("version", [["--version", "1"], []])
def test_the_model_is_fetched(
    registered: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: list[str]
) -> None:
    # Given
    outputs = tmp_path / "github-output"
    monkeypatch.setenv("GITHUB_OUTPUT", str(outputs))
    folder = tmp_path / "baked"
    # When
    assert main(["fetch-model", "--model", "reef", *version, "--output", str(folder)]) == 0
    # Then
    assert (folder / "reef.onnx").read_bytes() == b"x"
    assert outputs.read_text().splitlines() == [
        f"model_file={folder}/reef.onnx",
        "model_version=1",
        "model_location=s3://shoal-data/models/reef/reef.onnx",
    ]


def test_the_image_is_recorded(registered: World, capsys: pytest.CaptureFixture[str]) -> None:
    # When
    arguments = ["--model", "reef", "--version", "1", "--image", "registry.example.org/reef:5"]
    assert main(["--table", "registry", "record-image", *arguments, "--digest", DIGEST]) == 0
    # Then
    found = registry.get("reef", 1)
    assert (found.image, found.image_version, found.image_digest) == (
        "registry.example.org/reef:5",
        "5",
        DIGEST,
    )
    assert capsys.readouterr().out == f"image=registry.example.org/reef:5\nimage_digest={DIGEST}\n"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["fetch-model", "--model", "none", "--output", "x"], "no model none"),
        (["fetch-model", "--model", "reef", "--version", "4", "--output", "x"], "version 4"),
        ([*RECORD, "--version", "4", "--digest", DIGEST], "version 4"),
        ([*RECORD, "--version", "1", "--digest", "1"], "sha256"),
    ],
)
def test_a_failure_says_why(
    registered: World, capsys: pytest.CaptureFixture[str], arguments: list[str], says: str
) -> None:
    assert main(arguments) == 1
    assert says in capsys.readouterr().err


def test_a_model_that_is_not_in_s3(
    registered: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # Given
    body = {"model": "lost", "versions": [{"s3_location": "s3://shoal-data/lost.onnx"}]}
    registry.register(Registration.model_validate(body))
    # Then
    assert main(["fetch-model", "--model", "lost", "--output", str(tmp_path)]) == 1
    assert "s3://shoal-data/lost.onnx" in capsys.readouterr().err
