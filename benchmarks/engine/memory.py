"""Peak memory of a ten-minute video against a ten-second one: ``python -m benchmarks.engine.memory``."""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from shoal_detector import model_path
from shoal_detector.render import render_video
from shoal_worker import Detector, track_video

from benchmarks.engine.clip import repeat


def child(video: Path, folder: Path) -> None:
    """Track one video and print the frames, the boxes and the process's peak in MiB."""
    result = track_video(video, Detector(model_path(), device="cpu"), folder)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"frames": result.frames, "boxes": result.detections, "peak": peak,
                      "seconds": result.seconds}))  # fmt: skip


def run(video: Path, folder: Path) -> dict[str, float]:
    """The same in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.engine.memory", "--child", str(video), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    answer: dict[str, float] = json.loads(done.stdout)
    return answer


def main() -> None:
    """Render ten seconds, repeat them, and compare the peaks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--child", nargs=2, type=Path)
    given = parser.parse_args()
    if given.child:
        child(*given.child)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        render_video(folder / "short.mp4", 101, 300)
        long = repeat(folder / "short.mp4", folder / "long.mp4", round(given.minutes * 6))
        answers = {"10 s": run(folder / "short.mp4", folder)}
        answers[f"{given.minutes:g} min"] = run(long, folder)
    for label, said in answers.items():
        print(f"{label}: {said['frames']:.0f} frames, {said['boxes']:.0f} boxes")
        print(f"  peak {said['peak']:.0f} MiB, {said['seconds']:.0f} s")
    short, long_one = answers.values()
    print(f"ratio {long_one['peak'] / short['peak']:.3f}")


if __name__ == "__main__":
    main()
