"""What a tracks archive is written from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from shoal_worker.container import VideoInfo
from shoal_worker.detectionlog import DetectionLog
from shoal_worker.frames import TrackSummary, TrackTable
from shoal_worker.model import ModelDescription
from shoal_worker.options import TrackOptions
from shoal_worker.tracker import TrackerParameters


def _now() -> str:
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


@dataclass(frozen=True, slots=True)
class Provenance:
    """Who asked for a video to be tracked and with what.

    ``processing_job_name`` is deepsea-ai's ``<processor>-<job name>``; ``arguments`` the container's;
    ``video_path`` where the video lies for the person who asked (a URI, a key). ``processed_at`` is ISO 8601
    in UTC: give it to get the same bytes again. ``image_digest`` and ``model_version`` (of the registry) are
    written down where they are known; ``instance_type`` and ``usd_per_hour`` price the receipt.
    """

    user_name: str = ""
    processing_job_name: str = ""
    image_uri: str = ""
    arguments: tuple[str, ...] = ()
    video_path: str = ""
    processed_at: str = field(default_factory=_now)
    image_digest: str = ""
    model_version: str = ""
    instance_type: str = ""
    usd_per_hour: float | None = None


@dataclass(frozen=True, slots=True)
class ArchiveContent:
    """Everything that an archive is written from.

    ``track_config`` is the text of the tracker's file; ``receipt`` is asked when all else is written.
    """

    video: VideoInfo
    frames: int
    table: TrackTable
    summaries: tuple[TrackSummary, ...]
    names: tuple[str, ...]
    options: TrackOptions
    parameters: TrackerParameters
    tracker: str
    model: ModelDescription
    damaged: int
    notes: tuple[str, ...]
    provenance: Provenance
    decoder: str
    log: DetectionLog
    track_config: str = ""
    receipt: Callable[[], dict[str, Any]] | None = None

    def label(self, index: int) -> str:
        """The name of a class."""
        return self.names[index] if 0 <= index < len(self.names) else f"class{index}"
