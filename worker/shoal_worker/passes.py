"""A whole video's association, in one of two ways: online, or online and then offline over all of it.

Both take one frame after the other and answer a table at the end, so that a decoded video and stored
detections are tracked by the same few lines.
"""

from __future__ import annotations

from typing import Protocol

from shoal_worker.frames import Detections, Floats, TrackTable
from shoal_worker.offline import track_offline
from shoal_worker.table import TableBuilder
from shoal_worker.tracker import Tracker, TrackerParameters


class TrackingPass(Protocol):
    """Takes every frame of a video in order, those without a detection too, and answers its tracks."""

    def add(self, found: Detections, motion: Floats | None = None) -> None:
        """The next frame's detections; ``motion`` (2, 3) is the camera's from the last frame to this."""

    def table(self) -> TrackTable:
        """Every tracked box so far; frames count from 1."""


def tracking_pass(
    parameters: TrackerParameters, fps: float, size: tuple[int, int], *, online: bool = False
) -> TrackingPass:
    """A pass over one video of ``size`` (width, height) pixels at ``fps`` frames per second."""
    return OnlinePass(parameters, fps) if online else OfflinePass(parameters, fps, size)


class OnlinePass:
    """The tracker as it goes; only a track's tentative frames are added once it is confirmed."""

    def __init__(self, parameters: TrackerParameters, fps: float) -> None:
        self._parameters, self._tracker = parameters, Tracker(parameters, fps)
        self._builder, self._frames = TableBuilder(), 0

    def add(self, found: Detections, motion: Floats | None = None) -> None:
        """See TrackingPass."""
        self._frames += 1
        self._builder.add(self._frames, self._tracker.update(found, motion))

    def table(self) -> TrackTable:
        """See TrackingPass."""
        return self._builder.table(self._parameters.minimum_frames)


class OfflinePass:
    """Keeps what was seen, and tracks when all of it is there."""

    def __init__(self, parameters: TrackerParameters, fps: float, size: tuple[int, int]) -> None:
        self._parameters, self._fps, self._size = parameters, fps, size
        self._seen: list[Detections] = []
        self._camera: list[Floats | None] = []

    def add(self, found: Detections, motion: Floats | None = None) -> None:
        """See TrackingPass."""
        self._seen.append(found)
        self._camera.append(motion)

    def table(self) -> TrackTable:
        """See TrackingPass."""
        return track_offline(self._seen, self._camera, self._parameters, self._fps, self._size)
