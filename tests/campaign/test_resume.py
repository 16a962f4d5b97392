"""Killed at 20 random moments (SIGKILL) and resumed: the bytes of a run that was never killed, 20 of 20."""

from __future__ import annotations

import os
import random
from pathlib import Path

from killed_run import FIRST, kill_and_resume
from shoal_worker import Provenance, parse_track_config, track_video
from tiny_models import write_model
from tiny_videos import Picture, picture, write_video

TRIALS = 100 if os.environ.get("FULL") else 20
SEED = int(os.environ.get("SEED") or 1)
FRAMES = 150
CONFIG = "STRONGSORT:\n  ECC: true\n  MAX_AGE: 20\n  N_INIT: 2\n"


def dive(number: int) -> Picture:
    squares = [(20 + number % 100, 28, 0), (116, 68, 1)]
    return picture(squares if number % 40 < 30 else squares[:1])


def test_killed_anywhere_and_resumed_gives_the_same_bytes(tmp_path: Path) -> None:
    # Given
    video = write_video(tmp_path / "dive.mp4", FRAMES, dive, codec="libx264")
    model = write_model(tmp_path / "squares.onnx", "yolov8", size=None)
    (tmp_path / "config.yaml").write_text(CONFIG)
    whole = track_video(
        video, model, tmp_path / "whole" / "dive.tracks.tar.gz", options="--conf-thres=0.3",
        config=parse_track_config(CONFIG), provenance=Provenance(processed_at=FIRST),
    )  # fmt: skip
    chance, same, killed, restored = random.Random(SEED), 0, 0, []
    for trial in range(TRIALS):
        folder = tmp_path / str(trial)
        # When
        kills, found = kill_and_resume(
            video, model, tmp_path / "config.yaml", folder, chance, FRAMES, contained=trial % 2 == 0
        )
        # Then
        archive = folder / "dive.tracks.tar.gz"
        assert archive.read_bytes() == whole.archive.read_bytes(), f"trial {trial}, SEED={SEED}"
        assert not (folder / "checkpoint").exists()
        same, killed, restored = same + 1, killed + kills, [*restored, found]
    print(f"{killed} kills, {same} of {TRIALS} resumed to the same bytes; frames found done: {restored}")
    assert killed >= TRIALS
