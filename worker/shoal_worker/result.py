"""The last stage: from tracks to the archive, the pictures and the summary, for a video and for a second try
at one."""

from __future__ import annotations

import contextlib
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from shoal_worker.archive import ArchiveContent, write_archive
from shoal_worker.checkpoint import Checkpoint
from shoal_worker.container import VideoInfo
from shoal_worker.draw import draw_trajectories, write_annotated_video
from shoal_worker.frames import TrackSummary
from shoal_worker.video import Reader, VideoReader

Stop = Callable[[], bool]


@dataclass(frozen=True, slots=True)
class TrackResult:
    """What became of a video.

    ``frames`` were decoded in ``seconds`` at ``fps`` (archive and pictures included); ``tracks`` and
    ``detections`` are what the archive holds; ``labels`` counts tracks by label; ``notes`` says what was
    asked for and not done. ``provider`` ran the network; ``backend`` says with which precision, and what
    decoded. ``checkpoint`` is to be cleared when the result is safe, where the run had one.
    """

    frames: int
    tracks: int
    detections: int
    seconds: float
    fps: float
    archive: Path
    labels: dict[str, int]
    notes: tuple[str, ...]
    video: VideoInfo
    provider: str
    annotated: Path | None = None
    picture: Path | None = None
    summaries: tuple[TrackSummary, ...] = ()
    backend: str = ""
    checkpoint: Checkpoint | None = None


@dataclass(frozen=True, slots=True)
class Pictures:
    """What is drawn besides the archive, and from which file; ``save_video`` puts the film into the
    archive, ``contained`` reads the file in a process that can do nothing else."""

    video: Path | None = None
    annotated: Path | None = None
    picture: Path | None = None
    save_video: bool = False
    contained: bool = False

    def reader(self, video: Path) -> Reader:
        """The video, opened once more."""
        if not self.contained:
            return VideoReader(video)
        from shoal_worker.containment.reader import ContainedReader

        return ContainedReader(video)


def conclude(
    content: ArchiveContent, target: Path, pictures: Pictures, stop: Stop, seconds: Callable[[], float]
) -> TrackResult:
    """Draw what is wanted, write the archive, and sum up; ``seconds`` is asked at the end how long it all
    took.

    Raises:
        VideoError: the video cannot be decoded a second time.
        TrackingStopped: ``stop`` said so.
    """
    labels = {summary.id: summary.label for summary in content.summaries}
    if pictures.video is not None and pictures.picture is not None:
        draw_trajectories(pictures.video, content.table, labels, pictures.picture, open_video=pictures.reader)
    with _film(pictures) as film:
        if film is not None and pictures.video is not None:
            write_annotated_video(
                pictures.video, content.table, labels, film, stop, open_video=pictures.reader
            )
        write_archive(target, content, film=film if pictures.save_video else None)
    spent = seconds()
    model = content.model
    return TrackResult(
        content.frames, len(content.summaries), len(content.table), spent, content.frames / spent, target,
        dict(Counter(labels.values())), content.notes, content.video, model.provider, pictures.annotated,
        pictures.picture, content.summaries,
        f"{model.provider} in {model.precision}, decoded by {content.decoder}",
    )  # fmt: skip


@contextlib.contextmanager
def _film(pictures: Pictures) -> Iterator[Path | None]:
    """Where to write the annotated video, if anyone wants it; a temporary file when only the archive does."""
    if pictures.annotated is not None or not pictures.save_video:
        yield pictures.annotated
        return
    with tempfile.TemporaryDirectory(prefix="shoal-film-") as folder:
        yield Path(folder) / "annotated.mp4"
