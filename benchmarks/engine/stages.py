"""Every stage alone, and all together: ``python -m benchmarks.engine.stages [--device openvino] [--half]``.

The small steps of a frame come first (``benchmarks.engine.pieces``)."""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
from shoal_worker import Detector, TrackOptions, track_video
from shoal_worker.prepare import Decoding
from shoal_worker.preprocess import Letterbox

from benchmarks.engine.__main__ import CLIP, SIZE, prepare
from benchmarks.engine.pieces import pieces


def stages(clip: Path, model: Path, device: str, half: bool, rounds: int) -> None:
    """Decoding alone, detection alone, all together: frames per second and the processor's time, by turns."""
    detector, options = Detector(model, device=device, half=half), TrackOptions()
    decoding = Decoding(clip, lambda frame: Letterbox(frame, SIZE))
    ready, letterbox = list(decoding), decoding.letterbox
    folder = Path(tempfile.mkdtemp())
    works: dict[str, Callable[[], object]] = {
        "decoding alone": lambda: sum(1 for _ in Decoding(clip, lambda frame: Letterbox(frame, SIZE))),
        "detection alone": lambda: sum(1 for _ in detector.stream(ready, letterbox, options)),
        "all stages, archive and all": lambda: track_video(clip, detector, folder),
    }
    spent: dict[str, list[tuple[float, float]]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            wall, processor = time.perf_counter(), time.process_time()
            work()
            spent[name].append((time.perf_counter() - wall, time.process_time() - processor))
    for name, runs in spent.items():
        fps = len(ready) / statistics.median(run[0] for run in runs)
        processor = 1000 * statistics.median(run[1] for run in runs) / len(ready)
        print(f"{name}: {fps:.1f} fps, {processor:.1f} processor ms a frame")
    together = spent["all stages, archive and all"]
    slowest = [max(first[0], second[0]) for first, second in
               zip(spent["decoding alone"], spent["detection alone"], strict=True)]  # fmt: skip
    ratios = [alone / run[0] for alone, run in zip(slowest, together, strict=True)]
    print(f"all together at {statistics.median(ratios):.2f} of the slowest stage alone")


def main() -> None:
    """Print the versions' machine, the small steps, then the stages."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--half", action="store_true")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--times", type=int, default=4)
    given = parser.parse_args()
    cv2.setNumThreads(1)
    pieces(CLIP, given.rounds)
    with tempfile.TemporaryDirectory() as folder:
        model, clip = prepare(Path(folder), CLIP, given.times)
        stages(clip, model, given.device, given.half, given.rounds)


if __name__ == "__main__":
    main()
