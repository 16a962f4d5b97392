"""The offline pass: what a complete file allows and a live tracker cannot do."""

from __future__ import annotations

from collections.abc import Sequence

from shoal_worker.frames import Detections, Floats, TrackTable
from shoal_worker.table import TableBuilder
from shoal_worker.tracker import Tracker, TrackerParameters


def track_offline(
    seen: Sequence[Detections],
    camera: Sequence[Floats | None],
    parameters: TrackerParameters,
    fps: float,
    size: tuple[int, int],  # noqa: ARG001 - the linking that follows needs the frame's edges
) -> TrackTable:
    """Associate a whole video.

    Args:
        seen: the detections of every frame, in order.
        camera: for every frame, the affine (2, 3) from the last frame's pixels to this one's; None where it
            is not known.
        parameters: the tracker's.
        fps: frames per second, which turns spans of seconds into frames.
        size: the picture's (width, height).

    Returns:
        The table; boxes that no detector saw have ``gaps`` > 0.
    """
    tracker, builder = Tracker(parameters, fps), TableBuilder()
    for number, (found, motion) in enumerate(zip(seen, camera, strict=True), 1):
        builder.add(number, tracker.update(found, motion))
    return builder.table(parameters.minimum_frames)
