"""The public trackers we compare with, each behind one function; installed only for the benchmarks.

Every peer has its library's defaults but for the span that a lost track is kept, which is the same for all,
and no camera motion, because there are no pictures to measure it from.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable
from functools import partial
from importlib.metadata import distributions, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from shoal_worker.frames import Detections, Floats


class Peer(Protocol):
    """One running tracker."""

    def __call__(self, found: Detections) -> Floats:
        """The next frame; answers rows (n, 6): id, left, top, right, bottom, score."""


Maker = Callable[[float, float], Peer]
"""A peer for a video at ``fps`` whose lost tracks are kept for ``seconds``."""


def _roboflow(kind: str, options: dict[str, Any], fps: float, seconds: float) -> Peer:
    import supervision
    import trackers

    tracker = getattr(trackers, kind)(lost_track_buffer=round(30 * seconds), frame_rate=fps, **options)

    def update(found: Detections) -> Floats:
        answer = tracker.update(supervision.Detections(found.boxes, None, found.scores, found.classes))
        kept = answer.tracker_id >= 0
        return np.column_stack([answer.tracker_id + 1, answer.xyxy, answer.confidence])[kept]

    return update


def _ultralytics(kind: str, fps: float, seconds: float) -> Peer:
    import ultralytics
    from ultralytics.engine.results import Boxes
    from ultralytics.trackers.track import TRACKER_MAP
    from ultralytics.utils import YAML, IterableSimpleNamespace

    file = Path(ultralytics.__file__).parent / "cfg" / "trackers" / f"{kind}.yaml"
    values = YAML.load(file) | {"track_buffer": round(seconds * fps), "gmc_method": "none"}
    tracker = TRACKER_MAP[values["tracker_type"]](IterableSimpleNamespace(**values, device="cpu"))

    def update(found: Detections) -> Floats:
        rows = np.column_stack([found.boxes, found.scores, found.classes]).astype(np.float32)
        answer = np.asarray(tracker.update(Boxes(rows, (1080, 1920)), None)).reshape(-1, 8)
        return answer[:, [4, 0, 1, 2, 3, 5]]

    return update


def _boxmot(place: str, options: dict[str, Any], fps: float, seconds: float) -> Peer:
    module, kind = place.split(".")
    frames = round(seconds * fps)
    made = getattr(importlib.import_module(f"boxmot.trackers.box.{module}.tracker"), kind)
    values = {name: frames if value is ... else value for name, value in options.items()}
    tracker = made(max_age=frames, **values)
    blank = np.zeros((1080, 1920, 3), np.uint8)

    def update(found: Detections) -> Floats:
        rows = np.column_stack([found.boxes, found.scores, found.classes]).astype(np.float32)
        answer = np.asarray(tracker.update(rows, blank)).reshape(-1, 8)
        return answer[:, [4, 0, 1, 2, 3, 5]]

    return update


_BLIND = {"use_embeddings": False, "use_cmc": False}
PEERS: dict[str, Maker] = {
    "trackers ByteTrack": partial(_roboflow, "ByteTrackTracker", {}),
    "trackers SORT": partial(_roboflow, "SORTTracker", {}),
    "trackers OC-SORT": partial(_roboflow, "OCSORTTracker", {}),
    "trackers BoT-SORT": partial(_roboflow, "BoTSORTTracker", {"enable_cmc": False}),
    "trackers C-BIoU": partial(_roboflow, "CBIoUTracker", {}),
    "ultralytics ByteTrack": partial(_ultralytics, "bytetrack"),
    "ultralytics BoT-SORT": partial(_ultralytics, "botsort"),
    "ultralytics OC-SORT": partial(_ultralytics, "ocsort"),
    "ultralytics FastTracker": partial(_ultralytics, "fasttrack"),
    "ultralytics TrackTrack": partial(_ultralytics, "tracktrack"),
    "boxmot ByteTrack": partial(_boxmot, "bytetrack.ByteTrack", {"track_buffer": ...}),
    "boxmot BoT-SORT": partial(_boxmot, "botsort.BotSort", {"track_buffer": ..., **_BLIND}),
    "boxmot OC-SORT": partial(_boxmot, "ocsort.OcSort", {}),
    "boxmot SFSORT": partial(_boxmot, "sfsort.SFSORT", {"marginal_timeout": ..., "central_timeout": ...}),
    "boxmot BoostTrack": partial(_boxmot, "boosttrack.BoostTrack", _BLIND),
    "boxmot OccluBoost": partial(_boxmot, "occluboost.OccluBoost", _BLIND),
}


def quiet() -> None:
    """The peers say nothing while they run."""
    logging.disable(logging.WARNING)
    if find_spec("loguru"):
        importlib.import_module("loguru").logger.remove()


def versions() -> str:
    """What was measured against what; what is not installed is left out."""
    names = (
        "numpy",
        "scipy",
        "trackers",
        "supervision",
        "ultralytics",
        "boxmot",
        "lapx",
        "torch",
        "trackeval",
    )
    installed = {distribution.name for distribution in distributions()}
    return ", ".join(f"{name} {version(name)}" for name in names if name in installed)
