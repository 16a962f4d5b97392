"""Every stage alone, and all together: ``python -m benchmarks.engine.stages [--device openvino]
[--half]``."""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
from shoal_worker import Detections, Detector, TrackOptions, track_video
from shoal_worker.motion import CameraMotion, thumbnail
from shoal_worker.nms import suppress
from shoal_worker.planes import luma, scaled_rgb
from shoal_worker.prepare import Decoding
from shoal_worker.preprocess import Batcher, Letterbox
from shoal_worker.video import VideoReader

from benchmarks.engine.__main__ import CLIP, SIZE, prepare


def milliseconds(work: Callable[[], object], repeats: int = 200) -> float:
    """The median of single calls in this thread's own time, which other programs do not lengthen."""
    spent = []
    for _ in range(repeats):
        began = time.thread_time()
        work()
        spent.append(1000 * (time.thread_time() - began))
    return statistics.median(spent)


def pieces(clip: Path) -> None:
    """The small steps of a 1080p frame, in milliseconds."""
    with VideoReader(clip) as reader:
        frames = list(islice(reader.decoded(), 2))
    image = frames[0].to_ndarray(format="rgb24")
    letterbox, square = (Letterbox((1080, 1920), size) for size in (SIZE, (640, 640)))
    batcher, filled = (Batcher(1, box.size, np.float32, 2, letterbox=box) for box in (letterbox, square))
    grey = [thumbnail(luma(frame)) for frame in frames]
    camera, turn = CameraMotion(), iter(range(10**9))
    steps = {
        "letterbox of an RGB frame to 640x640, tensor and all": lambda: filled([square(image)]),
        "letterbox of an RGB frame to 384x640, tensor and all": lambda: batcher([letterbox(image)]),
        "planes to a scaled RGB picture of 384x640": lambda: letterbox.bordered(
            scaled_rgb(frames[0], letterbox.inner)
        ),
        "thumbnail from luma": lambda: thumbnail(luma(frames[0])),
        "camera motion between thumbnails": lambda: camera.follow(*grey[next(turn) % 2]),
    }
    for name, step in steps.items():
        print(f"{name}: {milliseconds(step):.2f} ms")
    for count in (100, 300, 1000, 4000):
        print(f"suppression of {count} candidates: {milliseconds(_suppression(count)):.2f} ms")


def _suppression(count: int) -> Callable[[], object]:
    """Candidates as detectors answer them: twenty around every object."""
    random = np.random.default_rng(1)
    objects = random.uniform(0, 1, (max(1, count // 20), 2)) * [1800, 1000]
    corner = np.repeat(objects, 20, axis=0)[:count] + random.normal(0, 4, (count, 2))
    size = np.repeat(random.uniform(20, 120, objects.shape), 20, axis=0)[:count]
    boxes = np.concatenate([corner, corner + size], axis=1).astype(np.float32)
    classes = np.repeat(random.integers(0, 80, len(objects)), 20)[:count]
    found = Detections(boxes, random.random(count, np.float32), classes)
    return lambda: suppress(found, 0.5, agnostic=False, limit=300)


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
    pieces(CLIP)
    with tempfile.TemporaryDirectory() as folder:
        model, clip = prepare(Path(folder), CLIP, given.times)
        stages(clip, model, given.device, given.half, given.rounds)


if __name__ == "__main__":
    main()
