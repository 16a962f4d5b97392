"""The worker: video in, tracks out. ``track_video`` is the engine; ``shoal_worker.service`` is the face
around it.

The names below are loaded when they are first used, so that importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from shoal_worker.archive import Provenance
    from shoal_worker.archivereader import TracksArchive, read_archive
    from shoal_worker.config import TrackConfig, parse_track_config, read_track_config
    from shoal_worker.detector import Detector
    from shoal_worker.errors import EngineError
    from shoal_worker.frames import Detections
    from shoal_worker.options import TrackOptions, parse_options
    from shoal_worker.pipeline import track_video
    from shoal_worker.result import TrackResult
    from shoal_worker.retracking import retrack

_HOMES = {
    "Detections": "frames",
    "Detector": "detector",
    "EngineError": "errors",
    "Provenance": "archive",
    "TrackConfig": "config",
    "TrackOptions": "options",
    "TrackResult": "result",
    "TracksArchive": "archivereader",
    "parse_options": "options",
    "parse_track_config": "config",
    "read_archive": "archivereader",
    "read_track_config": "config",
    "retrack": "retracking",
    "track_video": "pipeline",
}

__all__ = [
    "Detections",
    "Detector",
    "EngineError",
    "Provenance",
    "TrackConfig",
    "TrackOptions",
    "TrackResult",
    "TracksArchive",
    "parse_options",
    "parse_track_config",
    "read_archive",
    "read_track_config",
    "retrack",
    "track_video",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
