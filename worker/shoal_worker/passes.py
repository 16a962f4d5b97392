"""A whole video's association, in one of two ways: online, or online and then offline over all of it.

Both take one frame after the other and answer a table at the end, so that a decoded video and stored
detections are tracked by the same few lines.
"""

from __future__ import annotations

from typing import Protocol

from shoal_worker.appearance import tracker_for
from shoal_worker.detectionlog import DetectionLog
from shoal_worker.frames import Detections, Floats, TrackTable
from shoal_worker.offline import track_offline
from shoal_worker.table import TableBuilder
from shoal_worker.tracker import TrackerParameters


class TrackingPass(Protocol):
    """Takes every frame of a video in order, those without a detection too, and answers its tracks."""

    def add(self, found: Detections, motion: Floats | None = None) -> None:
        """The next frame's detections; ``motion`` (2, 3) is the camera's from the last frame to this."""

    def table(self) -> TrackTable:
        """Every tracked box so far; frames count from 1."""


def tracking_pass(
    parameters: TrackerParameters, fps: float, size: tuple[int, int], *, online: bool = False,
    log: DetectionLog | None = None,
) -> TrackingPass:  # fmt: skip
    """A pass over one video of ``size`` (width, height) pixels at ``fps`` frames per second.

    Everything that is added is kept in ``log``, once; without one, in a log of its own.
    """
    log = DetectionLog() if log is None else log
    return OnlinePass(parameters, fps, log) if online else OfflinePass(parameters, fps, size, log)


class OnlinePass:
    """The tracker as it goes; only a track's tentative frames are added once it is confirmed."""

    def __init__(self, parameters: TrackerParameters, fps: float, log: DetectionLog) -> None:
        self._parameters, self._tracker = parameters, tracker_for(parameters, fps)
        self._builder, self._log = TableBuilder(), log

    def add(self, found: Detections, motion: Floats | None = None) -> None:
        """See TrackingPass."""
        self._log.add(found, motion)
        self._builder.add(len(self._log), self._tracker.update(found, motion))

    def table(self) -> TrackTable:
        """See TrackingPass."""
        return self._builder.table(self._parameters.minimum_frames)


class OfflinePass:
    """Tracks when all of the log is there; it keeps nothing else."""

    def __init__(
        self, parameters: TrackerParameters, fps: float, size: tuple[int, int], log: DetectionLog
    ) -> None:
        self._parameters, self._fps, self._size, self._log = parameters, fps, size, log

    def add(self, found: Detections, motion: Floats | None = None) -> None:
        """See TrackingPass."""
        self._log.add(found, motion)

    def table(self) -> TrackTable:
        """See TrackingPass."""
        log = self._log
        return track_offline(log.packed(), log.camera, self._parameters, self._fps, self._size)
