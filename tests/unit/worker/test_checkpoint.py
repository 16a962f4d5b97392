"""Killed anywhere and resumed: the same bytes; anything changed or damaged: afresh, and it says so."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from killed_run import FIRST, SEGMENT_FRAMES, kill_and_resume
from shoal_worker import Provenance, TrackResult, checkpoint, parse_track_config, track_video
from shoal_worker.checkpoint import MANIFEST, FolderStore, open_checkpoint
from shoal_worker.errors import TrackingStopped
from shoal_worker.frames import Detections
from tiny_models import write_model
from tiny_videos import Picture, picture, write_video

FRAMES = 90
CONFIG = "STRONGSORT:\n  ECC: true\n  MAX_AGE: 20\n  N_INIT: 2\n"
OPTIONS = "--conf-thres=0.3"


def dive(number: int) -> Picture:
    """Squares that come and go over a ground with texture, for the camera to be measured by."""
    ground = np.random.default_rng(3).integers(0, 60, (96, 240, 3)).astype(np.uint8)
    image = np.roll(ground, -number, axis=1)[:, :160].copy()
    squares = [(20 + number, 28, 0), (116, 68, 1)] if number % 40 < 30 else [(20 + number, 28, 0)]
    return np.maximum(image, picture(squares))


class Home:
    def __init__(self, folder: Path) -> None:
        self.video = write_video(folder / "dive.mp4", FRAMES, dive, codec="libx264")
        self.model = write_model(folder / "squares.onnx", "yolov8", size=None)
        self.config = folder / "config.yaml"
        self.config.write_text(CONFIG)
        self.expected = self.track(folder / "whole").archive.read_bytes()

    def track(self, folder: Path, **more: Any) -> TrackResult:
        given: dict[str, Any] = {
            "config": parse_track_config(CONFIG), "options": OPTIONS,
            "provenance": Provenance(processed_at=FIRST),
        }  # fmt: skip
        return track_video(self.video, more.pop("model", self.model), folder / "dive.tracks.tar.gz",
                           **given | more)  # fmt: skip


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return Home(tmp_path_factory.mktemp("checkpoint"))


@pytest.fixture(autouse=True)
def short_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "SEGMENT_FRAMES", SEGMENT_FRAMES)


def interrupted(home: Home, folder: Path, after: int, **more: Any) -> FolderStore:
    """A store that a run stopped after ``after`` frames left behind."""
    store, seen = FolderStore(folder / "checkpoint"), iter(range(FRAMES + 9))
    with pytest.raises(TrackingStopped):
        home.track(folder, checkpoints=store, stop=lambda: next(seen) >= after, **more)
    return store


@pytest.mark.long
@pytest.mark.parametrize("contained", [False, True])
def test_killed_and_resumed_is_the_same_to_the_byte(contained: bool, home: Home, tmp_path: Path) -> None:
    kills, _ = kill_and_resume(
        home.video, home.model, home.config, tmp_path, random.Random(5), FRAMES, contained=contained
    )
    assert kills > 0
    assert (tmp_path / "dive.tracks.tar.gz").read_bytes() == home.expected
    assert not (tmp_path / "checkpoint").exists()


@pytest.mark.parametrize(("after", "restored"), [(0, 0), (15, 0), (16, 16), (50, 48), (89, 80)])
def test_what_is_seen_is_not_looked_at_again(after: int, restored: int, home: Home, tmp_path: Path) -> None:
    # Given
    store = interrupted(home, tmp_path, after)
    # When the second run has another clock
    result = home.track(tmp_path, checkpoints=store, provenance=Provenance(processed_at="later"))
    # Then
    assert result.checkpoint is not None
    assert (result.checkpoint.restored, result.checkpoint.afresh) == (restored, "")
    assert result.archive.read_bytes() == home.expected
    result.checkpoint.clear()
    assert not store.folder.exists()


def _cut(store: FolderStore) -> None:
    segment = sorted(store.folder.glob("*-000002.npz"))[0]
    segment.write_bytes(segment.read_bytes()[:-40])


def _lose(store: FolderStore) -> None:
    next(iter(store.folder.glob("*-000002.npz"))).unlink()


def _nonsense(store: FolderStore) -> None:
    store.write(MANIFEST, b'{"segments": "x"')


@pytest.mark.parametrize(("damage", "restored"), [(_cut, 16), (_lose, 16), (_nonsense, 0)])
def test_a_damaged_checkpoint_is_used_as_far_as_it_goes(
    damage: Any, restored: int, home: Home, tmp_path: Path
) -> None:
    store = interrupted(home, tmp_path, 60)
    damage(store)
    result = home.track(tmp_path, checkpoints=store)
    assert result.checkpoint is not None
    assert result.checkpoint.restored == restored
    assert result.archive.read_bytes() == home.expected


@pytest.mark.long
def test_another_model_or_argument_starts_afresh_and_says_so(home: Home, tmp_path: Path) -> None:
    # Given
    store = interrupted(home, tmp_path, 60)
    other = write_model(tmp_path / "other.onnx", "yolov5", size=None)
    # When
    result = home.track(tmp_path / "a", checkpoints=store, model=other)
    again = home.track(tmp_path / "b", checkpoints=store, model=other, options="--conf-thres=0.4")
    # Then
    for run in (result, again):
        assert run.checkpoint is not None
        assert (run.checkpoint.restored, "changed" in run.checkpoint.afresh) == (0, True)
    assert len(list(store.folder.glob("*.npz"))) == FRAMES // SEGMENT_FRAMES


def test_another_tracker_goes_on_with_the_same_detections(home: Home, tmp_path: Path) -> None:
    store = interrupted(home, tmp_path, 60)
    other = parse_track_config(CONFIG.replace("MAX_AGE: 20", "MAX_AGE: 5"))
    result = home.track(tmp_path / "a", checkpoints=store, config=other)
    fresh = home.track(tmp_path / "b", config=other)
    assert result.checkpoint is not None
    assert result.checkpoint.restored == 48
    assert result.archive.read_bytes() == fresh.archive.read_bytes()


@pytest.mark.long
def test_two_runs_at_once_do_each_other_no_harm(tmp_path: Path) -> None:
    # Given a run thought dead, and the one that took its video over
    store, parts = FolderStore(tmp_path), {"video": "v"}
    dead = open_checkpoint(store, parts, "then", 1)
    alive = open_checkpoint(store, parts, "now", 1)
    frame = Detections(np.ones((1, 4), np.float32), np.ones(1, np.float32), np.zeros(1, np.int64))
    # When both go on, the dead one behind
    for run, frames in ((alive, 40), (dead, 20)):
        for _ in range(frames):
            run.add(frame, None, None)
    # Then what the next one finds is whole
    third = open_checkpoint(store, parts, "later", 1)
    assert (third.processed_at, third.restored) == ("then", SEGMENT_FRAMES)
    assert len(list(third.replay())) == SEGMENT_FRAMES


@pytest.mark.parametrize(("batch", "every"), [(1, 16), (4, 16), (6, 18), (32, 32)])
def test_a_segment_holds_whole_batches(batch: int, every: int, tmp_path: Path) -> None:
    assert open_checkpoint(FolderStore(tmp_path), {}, "", batch).every == every
