"""One video through the whole engine, its stages side by side: decode and scale, detect, associate, archive.

Each stage runs in a thread of its own and hands on through a bounded queue, so that the slowest sets the pace
and memory does not grow with the video.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from shoal_worker.archive import ArchiveContent, Provenance, archive_name
from shoal_worker.checkpoint import Checkpoint, CheckpointStore, open_checkpoint
from shoal_worker.config import TrackConfig, read_track_config
from shoal_worker.detectionlog import DetectionLog
from shoal_worker.detector import Detector, Found
from shoal_worker.errors import TrackingStopped
from shoal_worker.frames import TrackTable
from shoal_worker.hardware import decoding_device
from shoal_worker.motion import CameraMotion
from shoal_worker.options import TrackOptions, parse_options
from shoal_worker.origin import Checksum, code_identity
from shoal_worker.passes import TrackingPass, tracking_pass
from shoal_worker.prepare import Decoding, Prepared
from shoal_worker.preprocess import Letterbox
from shoal_worker.readahead import read_ahead
from shoal_worker.receipt import StageClock
from shoal_worker.result import Pictures, Stop, TrackResult, conclude
from shoal_worker.table import summarise
from shoal_worker.tracker import TrackerParameters
from shoal_worker.video import VideoInfo

if TYPE_CHECKING:
    from shoal_worker.containment.decoding import ContainedDecoding

__all__ = ["TrackResult", "track_video"]

AnyDecoding: TypeAlias = "Decoding | ContainedDecoding"

Progress = Callable[[int, int | None], None]
FRAMES_AHEAD = 8
GPU_PROVIDERS = frozenset({"CUDAExecutionProvider", "TensorrtExecutionProvider"})
INTERVAL = 0.5


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
    decoders: int = 1,
    contained: bool = False,
    receipt: bool = False,
    checkpoints: CheckpointStore | None = None,
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
        decoders: how many decoders share the file, cut at keyframes; the result is the same for any number.
        contained: decode in a process that can do nothing else (``shoal_worker.containment``), on the
            processor; the result is the same.
        receipt: put what it took (seconds, speed of each stage, USD) into the archive; its bytes then differ
            from run to run.
        checkpoints: where a killed run left what it had seen, and this one leaves it; the result is that of a
            run that was not killed, ``processed_at`` that of the first. The caller clears it.

    Raises:
        VideoError, ModelError, OptionsError, TrackConfigError: the input is at fault; the message says how to
        mend it. TrackingStopped: ``stop`` said so.
    """
    began = time.perf_counter()
    options = options if isinstance(options, TrackOptions) else parse_options(options)
    config = read_track_config(config) if isinstance(config, Path) else config or TrackConfig()
    detector = _detector(model, options)
    parameters = config.resolved(options.confidence)
    options = replace(options, confidence=_floor(options, parameters))
    stop = stop or (lambda: False)
    run = _Run(detector, options, parameters, Ticker(progress), stop, contained)
    checksum = Checksum(video)
    provenance, checkpoint = provenance or Provenance(), None
    if checkpoints is not None:
        depends = run.depends_on(checksum.result())
        checkpoint = open_checkpoint(checkpoints, depends, provenance.processed_at, detector.model.batch)
        provenance = replace(provenance, processed_at=checkpoint.processed_at)
    seen = run.track(video, decoders, checkpoint)
    seen.log.about["origin"] = {"video": checksum.result(), "code": code_identity()}
    notes = (*options.notes, *detector.notes(options), *config.notes)
    content = ArchiveContent(
        seen.info, len(seen.log), seen.table, tuple(summarise(seen.table, detector.label)), detector.names,
        options, parameters, config.kind, detector.model.description, seen.damaged, notes,
        provenance, seen.decoder, seen.log, config.text,
        run.receipt(len(seen.log), provenance) if receipt else None,
    )  # fmt: skip
    target = output if output.name.endswith(".tar.gz") else output / archive_name(video)
    pictures = Pictures(video, annotated, picture, options.save_video, contained)
    result = conclude(content, target, pictures, stop, lambda: time.perf_counter() - began)
    return replace(result, checkpoint=checkpoint)


def _detector(model: Detector | Path, options: TrackOptions) -> Detector:
    if isinstance(model, Detector):
        return model
    return Detector(model, device=options.device, half=options.half)


def _floor(options: TrackOptions, parameters: TrackerParameters) -> float:
    """What the detector need not report: nothing below the tracker's lowest threshold is ever used."""
    return parameters.track_low if options.confidence is None else options.confidence


class Ticker:
    """Passes progress on about twice a second, so that a callback may be slow."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress, self._said = progress, 0.0

    def __call__(self, done: int, expected: int | None, *, last: bool = False) -> None:
        now = time.monotonic()
        if self._progress is not None and (last or now - self._said >= INTERVAL):
            self._said = now
            self._progress(done, expected)


@dataclass(frozen=True, slots=True)
class _Seen:
    """A video's description, what decoded it, its damaged packets, every detection, and the tracks."""

    info: VideoInfo
    decoder: str
    damaged: int
    log: DetectionLog
    table: TrackTable


@dataclass(frozen=True, slots=True)
class _Run:
    """One pass over a video."""

    detector: Detector
    options: TrackOptions
    parameters: TrackerParameters
    tick: Ticker
    stop: Stop
    contained: bool = False
    clock: StageClock = field(default_factory=StageClock)

    def track(self, video: Path, decoders: int, checkpoint: Checkpoint | None = None) -> _Seen:
        """Decode and detect in two threads, associate in this one."""
        skip = checkpoint.restored if checkpoint else 0
        decoding, info, log = self._decoding(video, decoders, skip)
        tracking = tracking_pass(
            self.parameters, info.fps, (info.width, info.height), online=self.options.online
        )
        camera = CameraMotion() if self.parameters.camera_motion else None
        if checkpoint:
            self._restore(checkpoint, log, tracking, camera)
        with (
            read_ahead(self.clock.busy("decode", decoding), FRAMES_AHEAD) as prepared,
            read_ahead(self._detected(prepared, decoding.letterbox), FRAMES_AHEAD) as found,
        ):
            self._check(len(log))
            for frame, detections in found:
                with self.clock.stage("associate"):
                    motion = camera.follow(*frame.thumbnail) if camera and frame.thumbnail else None
                    log.add(detections, motion)
                    tracking.add(detections, motion)
                if checkpoint:
                    checkpoint.add(detections, motion, frame.thumbnail)
                self.tick(len(log), info.expected_frames)
                self._check(len(log))
        self.tick(len(log), len(log), last=True)
        log.about |= {"damaged": decoding.damaged, "decoder": decoding.decoder}
        with self.clock.stage("associate"):
            table = tracking.table()
        return _Seen(info, decoding.decoder, decoding.damaged, log, table)

    def depends_on(self, video: dict[str, Any]) -> dict[str, Any]:
        """Everything that the detections and the camera's motion are a function of."""
        model = self.detector.model
        return {
            "video": video, "code": code_identity(), "model": asdict(model.description), "batch": model.batch,
            "arguments": self.options.text, "floor": self.options.threshold,
            "camera": self.parameters.camera_motion, "decoding": self._hardware(),
        }  # fmt: skip

    def _restore(
        self, checkpoint: Checkpoint, log: DetectionLog, tracking: TrackingPass, camera: CameraMotion | None
    ) -> None:
        for detections, motion in checkpoint.replay():
            log.add(detections, motion)
            tracking.add(detections, motion)
            self._check(len(log))
        if camera and checkpoint.thumbnail:
            camera.resume(checkpoint.thumbnail[0])

    def _decoding(self, video: Path, decoders: int, skip: int) -> tuple[AnyDecoding, VideoInfo, DetectionLog]:
        model, decoding = self.detector.model, self._opened(video, decoders, skip)
        info = decoding.info
        about = {
            "video": asdict(info) | {"rate": str(info.rate)},
            "model": asdict(model.description),
            "names": list(self.detector.names),
            "arguments": self.options.text,
            "floor": self.options.threshold,
        }
        return decoding, info, DetectionLog(about)

    def _hardware(self) -> str | None:
        if self.contained:
            return None
        return decoding_device(self.detector.model.provider, self.detector.device)

    def _opened(self, video: Path, decoders: int, skip: int) -> AnyDecoding:
        def letterbox(frame: tuple[int, int]) -> Letterbox:
            return self.detector.letterbox(frame, self.options)

        camera = self.parameters.camera_motion
        if self.contained:
            # Imported here: it needs Linux, and a laptop that tracks its own files need not be one.
            from shoal_worker.containment.decoding import ContainedDecoding

            return ContainedDecoding(video, letterbox, decoders=decoders, camera=camera, skip=skip)
        hardware = self._hardware()
        return Decoding(video, letterbox, decoders=decoders, camera=camera, hardware=hardware, skip=skip)

    def _detected(self, prepared: Iterator[Prepared], letterbox: Letterbox) -> Iterator[Found]:
        waiting = self.clock.waiting("detect", prepared)
        return self.clock.busy("detect", self.detector.stream(waiting, letterbox, self.options))

    def receipt(self, frames: int, source: Provenance) -> Callable[[], dict[str, Any]]:
        """What this run took, as of when it is asked."""
        model, clock = self.detector.model, self.clock

        def told() -> dict[str, Any]:
            answer = clock.receipt(frames, source.instance_type, source.usd_per_hour)
            if model.provider not in GPU_PROVIDERS:
                return answer
            return answer | {"gpu_seconds": answer["stages"]["detect"]["seconds"]}

        return told

    def _check(self, done: int) -> None:
        if self.stop():
            raise TrackingStopped(f"stopped after {done} frames; nothing was written, start the video again")
