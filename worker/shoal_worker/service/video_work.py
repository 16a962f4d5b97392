"""One video from S3 to S3: download, track, upload."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from shoal.contracts.job import result_key

from shoal_worker.service.messages import VideoJob
from shoal_worker.service.progress import Attempt
from shoal_worker.service.records import Finished
from shoal_worker.service.storage import Storage


@dataclass(frozen=True)
class Tracked:
    """What the engine made of one video."""

    archive: Path
    frames: int
    tracks: int


TrackJob = Callable[[VideoJob, Path, Path, Attempt], Tracked]
"""``(job, video, folder for results, attempt)``; raises ``JobRejected`` for a video not to be tracked."""


@dataclass(frozen=True)
class VideoWork:
    """The engine between two buckets; everything local lies in one folder that is removed at the end."""

    storage: Storage
    track: TrackJob
    video_bucket: str
    track_bucket: str
    work_dir: Path

    def run(self, job: VideoJob, attempt: Attempt) -> Finished:
        """The stored result of ``job``.

        Raises:
            JobRejected: permanent, with the reason for the record.
            Transient: worth another attempt.
            Stopped: the worker is told to stop.
        """
        self.work_dir.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self.work_dir, prefix="video-") as folder:
            return self._run_in(Path(folder), job, attempt)

    def _run_in(self, folder: Path, job: VideoJob, attempt: Attempt) -> Finished:
        (folder / "in").mkdir()
        (folder / "out").mkdir()
        video = folder / "in" / job.file_name
        self.storage.download(self.video_bucket, job.message.video, video, attempt.phase("download"))
        tracked = self.track(job, video, folder / "out", attempt)
        attempt.phase("upload")
        key = result_key(job.message.video)
        self.storage.upload(tracked.archive, self.track_bucket, key)
        return Finished(key, tracked.frames, tracked.tracks, attempt.seconds)

    def remove_source(self, job: VideoJob) -> None:
        """Delete the source video (``clean``)."""
        self.storage.remove(self.video_bucket, job.message.video)
