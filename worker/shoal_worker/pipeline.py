"""One video through the whole engine: decode, detect, track, archive."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from shoal_worker.archive import ArchiveContent, Provenance, archive_name, write_archive
from shoal_worker.config import TrackConfig, read_track_config
from shoal_worker.detector import Detector
from shoal_worker.draw import draw_trajectories, write_annotated_video
from shoal_worker.errors import TrackingStopped
from shoal_worker.frames import TrackSummary, TrackTable
from shoal_worker.motion import CameraMotion
from shoal_worker.options import TrackOptions, parse_options
from shoal_worker.passes import tracking_pass
from shoal_worker.readahead import read_ahead
from shoal_worker.table import summarise
from shoal_worker.tracker import TrackerParameters
from shoal_worker.video import VideoInfo, VideoReader

Progress = Callable[[int, int | None], None]
Stop = Callable[[], bool]
FRAMES_AHEAD = 4
INTERVAL = 0.5


@dataclass(frozen=True, slots=True)
class TrackResult:
    """What became of a video.

    ``frames`` were decoded in ``seconds`` at ``fps`` (archive and pictures included); ``tracks`` and
    ``detections`` are what the archive holds; ``labels`` counts tracks by label; ``notes`` says what was
    asked for and not done.
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


def track_video(
    video: Path,
    model: Detector | Path,
    output: Path,
    *,
    config: TrackConfig | Path | None = None,
    options: TrackOptions | str | None = None,
    progress: Progress | None = None,
    stop: Stop | None = None,
    provenance: Provenance | None = None,
    annotated: Path | None = None,
    picture: Path | None = None,
) -> TrackResult:
    """Track one local file and write its archive; nothing is left behind when it fails or stops.

    Args:
        video: the file.
        model: a Detector (load it once for many videos), an ``.onnx`` file or a ``.tar.gz`` that holds one.
        output: a folder, where ``<stem>.tracks.tar.gz`` is written, or a path that ends in ``.tar.gz``.
        config: the tracker's YAML, parsed or as a file; None is our default.
        options: the seeds' ``--args`` string, parsed or as text.
        progress: called with (frames done, frames expected or None) about twice a second, and at the end.
        stop: asked before every frame; when it answers True, TrackingStopped is raised.
        provenance: who asked and with what; written into the archive.
        annotated: where to write an MP4 with the tracks drawn (``--save-vid`` puts one into the archive).
        picture: where to write a PNG with the trajectories.

    Raises:
        VideoError, ModelError, OptionsError, TrackConfigError: the input is at fault; the message says how to
        mend it. TrackingStopped: ``stop`` said so.
    """
    began = time.perf_counter()
    options = options if isinstance(options, TrackOptions) else parse_options(options)
    config = read_track_config(config) if isinstance(config, Path) else config or TrackConfig()
    detector = model if isinstance(model, Detector) else Detector(model, device=options.device)
    parameters = config.resolved(options.confidence)
    options = replace(options, confidence=_floor(options, parameters))
    run = _Run(detector, options, parameters, _Ticker(progress), stop or (lambda: False))
    info, frames, damaged, table = run.track(video)
    summaries = tuple(summarise(table, detector.label))
    notes = (*options.notes, *detector.notes(options), *config.notes)
    content = ArchiveContent(
        info, frames, table, summaries, detector.names, options, parameters, config.kind,
        detector.model, damaged, notes, provenance or Provenance(),
    )  # fmt: skip
    target = output if output.name.endswith(".tar.gz") else output / archive_name(video)
    labels = {summary.id: summary.label for summary in summaries}
    if picture is not None:
        draw_trajectories(video, table, labels, picture)
    with _film(options, annotated) as film:
        if film is not None:
            write_annotated_video(video, table, labels, film, run.stop)
        write_archive(target, content, film=film if options.save_video else None)
    seconds = time.perf_counter() - began
    counted = dict(Counter(labels.values()))
    return TrackResult(
        frames, len(summaries), len(table), seconds, frames / seconds, target, counted, notes,
        info, detector.model.provider, annotated, picture, summaries,
    )  # fmt: skip


def _floor(options: TrackOptions, parameters: TrackerParameters) -> float:
    """What the detector need not report: nothing below the tracker's lowest threshold is ever used."""
    return parameters.track_low if options.confidence is None else options.confidence


@contextlib.contextmanager
def _film(options: TrackOptions, annotated: Path | None) -> Iterator[Path | None]:
    """Where to write the annotated video, if anyone wants it; a temporary file when only the archive does."""
    if annotated is not None or not options.save_video:
        yield annotated
        return
    with tempfile.TemporaryDirectory(prefix="shoal-film-") as folder:
        yield Path(folder) / "annotated.mp4"


class _Ticker:
    """Passes progress on about twice a second, so that a callback may be slow."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress, self._said = progress, 0.0

    def __call__(self, done: int, expected: int | None, *, last: bool = False) -> None:
        now = time.monotonic()
        if self._progress is not None and (last or now - self._said >= INTERVAL):
            self._said = now
            self._progress(done, expected)


@dataclass(frozen=True, slots=True)
class _Run:
    """One pass over a video."""

    detector: Detector
    options: TrackOptions
    parameters: TrackerParameters
    tick: _Ticker
    stop: Stop

    def track(self, video: Path) -> tuple[VideoInfo, int, int, TrackTable]:
        """The video's description, its frames, its damaged packets and the tracks; decoding runs ahead in a
        thread."""
        done = 0
        with VideoReader(video) as reader, read_ahead(reader, FRAMES_AHEAD) as frames:
            info = reader.info
            tracking = tracking_pass(
                self.parameters, info.fps, (info.width, info.height), online=self.options.online
            )
            camera = CameraMotion() if self.parameters.camera_motion else None
            for frame in frames:
                self._check(done)
                found = self.detector.detect(frame.image, self.options)
                motion = camera.measure(frame.image) if camera else None
                tracking.add(found, motion)
                done = frame.number
                self.tick(done, info.expected_frames)
            self.tick(done, done, last=True)
            return info, done, reader.damaged, tracking.table()

    def _check(self, done: int) -> None:
        if self.stop():
            raise TrackingStopped(f"stopped after {done} frames; nothing was written, start the video again")
