"""An archive explains itself: where it came from, what it took, and that it can be made again."""

from __future__ import annotations

import json
import shutil
import tarfile
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from shoal_cli.main import app
from shoal_cli.reproduce import NotReproduced
from shoal_worker import Provenance, parse_track_config, read_archive, track_video
from shoal_worker.errors import ArchiveError, ReproductionError
from shoal_worker.origin import VERSION, Checksum, code_identity, file_digest
from shoal_worker.receipt import StageClock
from shoal_worker.reproduction import compare_archives, reproduce
from shoal_worker.retracking import retrack
from tiny_models import write_model
from tiny_videos import picture, write_video
from typer.testing import CliRunner

ROOT = Path(__file__).parents[3]
CONFIG = "STRONGSORT:\n  MAX_AGE: 20\n  N_INIT: 2\n  ECC: true\n  NN_BUDGET: 100\n"
WHO = Provenance(
    user_name="ann", processing_job_name="reef-7", image_uri="registry/worker:1", image_digest="sha256:ab",
    arguments=("--model", "m"), video_path="s3://videos/dive.mp4", model_version="3",
    instance_type="g4dn.xlarge",
)  # fmt: skip


def _dive(number: int) -> Any:
    return picture([(28 + 2 * number, 28, 0), (116, 68, number % 2)])


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video, a model, and the archive that a run with a receipt and a film made of them."""
    folder = tmp_path_factory.mktemp("provenance")
    video = write_video(folder / "dive.mp4", 20, _dive)
    model = write_model(folder / "squares.onnx", "yolov8")
    track_video(video, model, folder, config=parse_track_config(CONFIG), provenance=WHO, receipt=True,
                options="--conf-thres=0.5 --iou-thres=0.4 --save-vid")  # fmt: skip
    return folder


def archive_in(folder: Path) -> Path:
    return folder / "dive.tracks.tar.gz"


def member(archive: Path, name: str) -> Any:
    with tarfile.open(archive) as members:
        return json.load(members.extractfile(f"dive.tracks/{name}"))  # type: ignore[arg-type]


def test_the_archive_says_where_it_came_from(home: Path) -> None:
    how = member(archive_in(home), "metadata.json")["shoal"]
    video = home / "dive.mp4"
    assert how["origin"] == {
        "video": {"sha256": file_digest(video), "bytes": video.stat().st_size},
        "code": code_identity(),
        "image": {"uri": "registry/worker:1", "digest": "sha256:ab"},
        "model_version": "3",
        "track_config": CONFIG,
    }
    assert how["model"]["sha256"] == file_digest(home / "squares.onnx")
    assert (how["model"]["provider"], how["model"]["precision"]) == ("CPUExecutionProvider", "float32")
    assert how["tracker"]["kind"] == "strongsort"
    assert how["video"]["decoder"].startswith("mpeg4")


def test_the_archive_says_what_it_took(home: Path) -> None:
    receipt = member(archive_in(home), "receipt.json")
    assert (receipt["frames"], receipt["instance"], receipt["usd_per_hour"]) == (20, "g4dn.xlarge", 0.526)
    assert set(receipt["stages"]) == {"decode", "detect", "camera", "associate"}
    assert receipt["usd"] == pytest.approx(0.526 * receipt["seconds"] / 3600, abs=1e-6)
    assert all(0 <= stage["seconds"] <= receipt["seconds"] for stage in receipt["stages"].values())


class Clock:
    """Stands still but for what the test lets pass."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def items(self, count: int, seconds: float) -> Iterator[int]:
        for number in range(count):
            self.now += seconds
            yield number


def test_a_stage_is_not_blamed_for_what_it_waits_for() -> None:
    # Given a stage that takes 1 s an item and waits 2 s for each, and one that takes 0.5 s
    clock = Clock()
    stages = StageClock(clock)

    def doubling(source: Iterator[int]) -> Iterator[int]:
        for item in source:
            clock.now += 1
            yield 2 * item

    # When
    for _ in stages.busy("detect", doubling(stages.waiting("detect", clock.items(4, 2)))):
        with stages.stage("associate"):
            clock.now += 0.5
    # Then
    assert stages.receipt(4, "g5.xlarge", 3.6) == {
        "frames": 4, "seconds": 14.0, "fps": 0.29, "instance": "g5.xlarge", "usd_per_hour": 3.6, "usd": 0.014,
        "stages": {"detect": {"seconds": 4.0, "fps": 1.0}, "associate": {"seconds": 2.0, "fps": 2.0}},
    }  # fmt: skip
    assert "usd" not in stages.receipt(4, "m9.large")
    assert "instance" not in stages.receipt(4)


def test_it_is_made_again_to_the_byte(home: Path, tmp_path: Path) -> None:
    again = reproduce(archive_in(home), home / "dive.mp4", home / "squares.onnx", tmp_path)
    assert (again.same_tracks, again.differing, again.notes) == (True, (), ())
    assert "receipt.json" not in {Path(name).name for name in read_archive(again.archive).members}


def test_other_tracks_are_noticed(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a tracker that was changed since, and says so
    original = parse_track_config

    def changed(text: str) -> Any:
        config = original(text)
        return replace(config, parameters=replace(config.parameters, minimum_hits=9))

    monkeypatch.setattr("shoal_worker.reproduction.parse_track_config", changed)
    # When
    result = CliRunner().invoke(app, command(home, tmp_path))
    # Then
    assert isinstance(result.exception, NotReproduced)
    assert "the tracks differ" in result.exception.message


def command(home: Path, output: Path, video: str = "dive.mp4") -> list[str]:
    given = {"--video": home / video, "--model": home / "squares.onnx", "--output": output}
    return ["reproduce", str(archive_in(home)), *(str(word) for pair in given.items() for word in pair)]


def test_the_command_says_that_it_is_the_same(home: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, command(home, tmp_path))
    assert (result.exit_code, "every member is the same" in result.output) == (0, True)


def _other_video(home: Path) -> Path:
    return write_video(home / "other.mp4", 20, lambda number: picture([(28, 28, 2)]))


def _other_model(home: Path) -> Path:
    return write_model(home / "other.onnx", "yolov5")


@pytest.mark.parametrize(
    ("video", "model", "word"),
    [
        (_other_video, lambda home: home / "squares.onnx", "not the video of this result"),
        (lambda home: home / "dive.mp4", _other_model, "not the model of this result"),
        (lambda home: home / "absent.mp4", lambda home: home / "squares.onnx", "there is no video"),
    ],
)
def test_another_video_or_model_is_refused(
    video: Callable[[Path], Path], model: Callable[[Path], Path], word: str, home: Path, tmp_path: Path
) -> None:
    with pytest.raises(ReproductionError, match=word):
        reproduce(archive_in(home), video(home), model(home), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_archive_itself_is_not_overwritten(home: Path) -> None:
    with pytest.raises(ReproductionError, match="choose another folder"):
        reproduce(archive_in(home), home / "dive.mp4", home / "squares.onnx", home)


def test_one_that_was_associated_again_says_so(home: Path, tmp_path: Path) -> None:
    again = retrack(archive_in(home), tmp_path, provenance=WHO).archive
    assert member(again, "metadata.json")["shoal"]["origin"]["video"]["sha256"] == file_digest(
        home / "dive.mp4"
    )
    with pytest.raises(ArchiveError, match="reproduce the archive it was made from"):
        reproduce(again, home / "dive.mp4", home / "squares.onnx", tmp_path / "out")


def test_members_are_compared_by_their_bytes(home: Path, tmp_path: Path) -> None:
    # Given the same archive under another name, and one with a member changed
    copy = Path(shutil.copy(archive_in(home), tmp_path / "dive.tracks.tar.gz"))
    other = track_video(
        home / "dive.mp4",
        home / "squares.onnx",
        tmp_path / "b.tracks.tar.gz",
        config=parse_track_config(CONFIG),
        provenance=WHO,
        options="--conf-thres=0.5",
    ).archive
    # Then
    assert compare_archives(archive_in(home), copy) == ()
    assert {"dive.mp4", "metadata.json", "detections.npz"} <= set(compare_archives(copy, other))


def test_the_version_is_the_projects() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == VERSION


def test_a_file_that_vanishes_has_no_checksum(tmp_path: Path) -> None:
    assert Checksum(tmp_path / "gone.mp4").result() == {}
