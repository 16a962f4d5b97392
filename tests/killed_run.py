"""A run that is killed and goes on: ``python killed_run.py <video> <model> <config> <folder> <contained>``.

Prints the number of frames done, a line each, so that a test can kill it at a moment of its choice.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

from shoal_worker import checkpoint
from shoal_worker.archive import Provenance
from shoal_worker.checkpoint import MANIFEST, FolderStore
from shoal_worker.config import read_track_config
from shoal_worker.errors import ArchiveError
from shoal_worker.pipeline import track_video

SEGMENT_FRAMES = 16
FIRST = "2026-11-26T00:00:00Z"


def run(video: Path, model: Path, config: Path, folder: Path, contained: bool, processed_at: str) -> None:
    """Track, with checkpoints in ``folder/checkpoint``, and clear them."""
    checkpoint.SEGMENT_FRAMES = SEGMENT_FRAMES
    done = 0

    def stop() -> bool:
        nonlocal done
        print(done, flush=True)
        done += 1
        return False

    result = track_video(
        video, model, folder / "dive.tracks.tar.gz", config=read_track_config(config),
        options="--conf-thres=0.3", provenance=Provenance(processed_at=processed_at), contained=contained,
        stop=stop, checkpoints=FolderStore(folder / "checkpoint"),
    )  # fmt: skip
    if result.checkpoint is None:
        raise ArchiveError("the run had no checkpoint")
    print(f"restored {result.checkpoint.restored}", flush=True)
    result.checkpoint.clear()


def kill_and_resume(
    video: Path,
    model: Path,
    config: Path,
    folder: Path,
    chance: random.Random,
    frames: int,
    *,
    contained: bool,
) -> tuple[int, int]:
    """Kill a run at one to three random moments, then let it end; how often it was killed, and how many
    frames the last run found done."""
    kills = 0
    for number in range(chance.randint(1, 3)):
        process = _start(video, model, config, folder, contained, f"{number}")
        kills += _killed(process, chance.randint(0, frames))
    last = _start(video, model, config, folder, contained, "9")
    output, _ = last.communicate(timeout=120)
    if last.returncode != 0:
        raise AssertionError(output)
    return kills, int(output.splitlines()[-1].partition("restored ")[2])


def _start(
    video: Path, model: Path, config: Path, folder: Path, contained: bool, attempt: str
) -> subprocess.Popen[str]:
    given = [str(path) for path in (video, model, config, folder)]
    # The clock of a first run, or of one that follows a run killed while it tidied up behind its result.
    known = (folder / "checkpoint" / MANIFEST).exists()
    moment = f"2027-01-01T00:00:0{attempt}Z" if known else FIRST
    environment = {"PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, __file__, *given, str(int(contained)), moment], env=environment,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def _killed(process: subprocess.Popen[str], moment: int) -> bool:
    """SIGKILL when ``moment`` frames are done; False where it ended before."""
    with process:
        for line in process.stdout or ():
            if line.strip().isdigit() and int(line) >= moment:
                break
        process.send_signal(signal.SIGKILL)
        process.wait()
    return process.returncode == -signal.SIGKILL


if __name__ == "__main__":
    paths = [Path(argument) for argument in sys.argv[1:5]]
    run(paths[0], paths[1], paths[2], paths[3], sys.argv[5] == "1", sys.argv[6])
