"""One arm of the comparison in a process of its own: ``python -m benchmarks.engine.arms NAME MODEL WARM
CLIP``.

Prints a JSON line: frames, wall seconds, processor seconds and boxes of the timed run; loading and a first
run on the short clip come before it.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

Run = Callable[[Path], tuple[int, int]]
"""Works on a clip; answers frames and tracked boxes."""


def ours(model: Path, device: str, half: bool = False) -> Run:
    """``track_video`` as the worker calls it, archive and all."""
    from shoal_worker import Detector, track_video

    detector = Detector(model, device=device, half=half)
    folder = Path(tempfile.mkdtemp())

    def run(clip: Path) -> tuple[int, int]:
        result = track_video(clip, detector, folder)
        return result.frames, result.detections

    return run


def ultralytics(model: Path, tracker: str, device: str = "cpu", size: tuple[int, int] = (384, 640)) -> Run:
    """``YOLO.track`` on the same file, streamed; nothing is drawn or saved."""
    from ultralytics import YOLO

    network = YOLO(str(model), task="detect")

    def run(clip: Path) -> tuple[int, int]:
        frames = boxes = 0
        for result in network.track(str(clip), stream=True, tracker=tracker, imgsz=list(size), verbose=False,
                                    conf=0.1, iou=0.5, device=device):  # fmt: skip
            frames += 1
            boxes += len(result.boxes)
        return frames, boxes

    return run


def seeds_loop(model: Path, provider: str = "CPUExecutionProvider") -> Run:
    """The seeds' arithmetic: one frame after the other, batch 1, ECC on every frame, a JSON file per frame.

    Written from what the seeds' worker does (its tracker's default asks for ECC at a tenth of the size and a
    hundred iterations); the association is our own, so that only the loop differs.
    """
    import cv2
    import numpy as np
    import onnxruntime
    from shoal_worker.layouts import Layout
    from shoal_worker.nms import read_output
    from shoal_worker.options import TrackOptions
    from shoal_worker.preprocess import Letterbox
    from shoal_worker.tracker import Tracker, TrackerParameters

    session = onnxruntime.InferenceSession(str(model), providers=[provider])
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 100, 1e-5)
    folder = Path(tempfile.mkdtemp())

    def ecc(last: Any, grey: Any) -> Any:
        warp = np.eye(2, 3, dtype=np.float32)
        try:
            _, warp = cv2.findTransformECC(last, grey, warp, cv2.MOTION_EUCLIDEAN, criteria)
        except cv2.error:
            return None
        warp[:, 2] *= 10
        return warp

    def run(clip: Path) -> tuple[int, int]:
        reader, tracker, last, frames, boxes = cv2.VideoCapture(str(clip)), None, None, 0, 0
        while True:
            read, image = reader.read()
            if not read:
                return frames, boxes
            frames += 1
            tracker = tracker or Tracker(TrackerParameters(), reader.get(cv2.CAP_PROP_FPS))
            letterbox = Letterbox((image.shape[0], image.shape[1]), (384, 640))
            picture = letterbox(image)[:, :, ::-1].transpose(2, 0, 1)
            tensor = np.ascontiguousarray(picture)[None].astype(np.float32) / 255
            output = session.run(None, {"images": tensor})[0]
            found = read_output([output[0]], Layout.YOLOV8, TrackOptions(), (384, 640))
            grey = cv2.resize(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), None, fx=0.1, fy=0.1)
            motion = ecc(last, grey) if last is not None else None
            last = grey
            tracked = tracker.update(found, motion).confirmed
            boxes += len(tracked)
            (folder / f"f{frames:06d}.json").write_text(json.dumps(tracked.detections.boxes.tolist()))

    return run


ARMS: dict[str, Callable[[Path], Run]] = {
    "ours, ONNX Runtime f32": lambda model: ours(model, "cpu"),
    "ours, OpenVINO f32": lambda model: ours(model, "openvino"),
    "ours, OpenVINO bf16": lambda model: ours(model, "openvino", half=True),
    "ultralytics track, ByteTrack": lambda model: ultralytics(model, "bytetrack.yaml"),
    "ultralytics track, BoT-SORT (its default)": lambda model: ultralytics(model, "botsort.yaml"),
    "the seeds' loop, ONNX Runtime f32": seeds_loop,
}


def main() -> None:
    """Run the arm that the command line names."""
    name, model, warm, clip = sys.argv[1:]
    run = ARMS[name](Path(model))
    run(Path(warm))
    wall, processor = time.perf_counter(), time.process_time()
    frames, boxes = run(Path(clip))
    seconds = {"wall": time.perf_counter() - wall, "processor": time.process_time() - processor}
    print(json.dumps({"frames": frames, "boxes": boxes, **seconds}))


if __name__ == "__main__":
    main()
