"""One video from S3 to S3: download, track, upload."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from shoal.contracts.job import result_key

from shoal_worker.service.errors import Overtaken, Transient
from shoal_worker.service.messages import VideoJob
from shoal_worker.service.progress import Attempt
from shoal_worker.service.records import Finished
from shoal_worker.service.storage import Storage

_OVERTAKEN = 5
"""How often a result may change under an attempt that owns its job."""


@dataclass(frozen=True)
class Tracked:
    """What the engine made of one video; ``stored`` is called when the archive is safe."""

    archive: Path
    frames: int
    tracks: int
    footage_seconds: float = 0.0
    stored: Callable[[], None] = lambda: None


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
            LeaseLost: the job is another attempt's now; nothing was written.
        """
        self.work_dir.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self.work_dir, prefix="video-") as folder:
            return self._run_in(Path(folder), job, attempt)

    def _run_in(self, folder: Path, job: VideoJob, attempt: Attempt) -> Finished:
        (folder / "in").mkdir()
        (folder / "out").mkdir()
        video = folder / "in" / job.file_name
        key = result_key(job.message.video)
        before = self.storage.etag(self.track_bucket, key)
        self.storage.download(self.video_bucket, job.message.video, video, attempt.phase("download"))
        tracked = self.track(job, video, folder / "out", attempt)
        attempt.phase("upload")
        self._store(tracked.archive, key, before, attempt)
        tracked.stored()
        return Finished(key, tracked.frames, tracked.tracks, attempt.seconds, tracked.footage_seconds)

    def _store(self, archive: Path, key: str, before: str | None, attempt: Attempt) -> None:
        """Replace the result that was there when the attempt began, and no other.

        A worker that lost its video cannot overwrite the result of the one that has it: either the record
        says so before the write, or the object has changed. One that owns it looks again and goes on.
        """
        for _ in range(_OVERTAKEN):
            attempt.confirm()
            try:
                self.storage.replace(archive, self.track_bucket, key, before)
            except Overtaken:
                before = self.storage.etag(self.track_bucket, key)
            else:
                return
        raise Transient(f"others write s3://{self.track_bucket}/{key} all the time")

    def remove_source(self, job: VideoJob) -> None:
        """Delete the source video (``clean``)."""
        self.storage.remove(self.video_bucket, job.message.video)
