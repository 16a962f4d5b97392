"""What a person looks at: the tracks drawn into the video, and every trajectory in one picture.

Drawn from the downloaded archive, not from anything the worker kept: what is seen is what was delivered.
"""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import TYPE_CHECKING

from shoal_cli.console import progress
from shoal_cli.demo.stage import Stage

if TYPE_CHECKING:
    from shoal_worker.archivereader import TracksArchive
    from shoal_worker.frames import TrackTable

_FRAME_TO_PREDICT = 20


def draw(stage: Stage) -> None:
    """An annotated video and a picture for each archive, and one frame to predict on."""
    from shoal_worker.archivereader import read_archive
    from shoal_worker.draw import draw_trajectories, write_annotated_video

    with progress() as bar:
        task = bar.add_task("drawing the tracks", total=2 * len(stage.archives))
        for video, archive in zip(stage.videos, stage.archives, strict=True):
            content = read_archive(archive)
            table, labels = (
                table_of(content),
                {row["tracker_id"]: str(row["label"]) for row in content.tracks},
            )
            draw_trajectories(video, table, labels, stage.output / "trajectories" / f"{video.stem}.png")
            bar.advance(task)
            write_annotated_video(video, table, labels, stage.output / "annotated" / f"{video.stem}.mp4")
            bar.advance(task)
    save_frame(stage.videos[0], stage.output / "frame.png")


def table_of(content: TracksArchive) -> TrackTable:
    """The rows of ``detections.csv`` (corners from 0 to 1) as a table in pixels."""
    import numpy as np
    from shoal_worker.frames import Detections, TrackTable

    rows = content.detections
    size = [float(content.metadata["video_width"]), float(content.metadata["video_height"])] * 2
    corners = [[row["x"], row["y"], row["xx"], row["xy"]] for row in rows]
    boxes = np.asarray(corners, np.float32).reshape(-1, 4) * np.asarray(size, np.float32)
    scores = np.asarray([row["score"] for row in rows], np.float32)
    detections = Detections(boxes, scores, np.zeros(len(rows), np.int64))
    frames = np.asarray([row["frame"] for row in rows], np.int64)
    ids = np.asarray([row["tracker_id"] for row in rows], np.int64)
    gaps = np.asarray([row.get("gap_frames", 0) for row in rows], np.int64)
    return TrackTable(frames, ids, detections, gaps)


def save_frame(video: Path, path: Path) -> None:
    """One frame as PNG: the twentieth, or the last of a shorter video."""
    import cv2
    from shoal_worker.video import VideoReader

    with VideoReader(video) as reader:
        *_, last = itertools.islice(reader, _FRAME_TO_PREDICT)
    cv2.imwrite(str(path), cv2.cvtColor(last.image, cv2.COLOR_RGB2BGR))
