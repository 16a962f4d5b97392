"""One pass over a video, its stages side by side: decode and scale, detect, associate.

Each stage runs in a thread of its own and hands on through a bounded queue, so that the slowest sets the pace
and memory does not grow with the video.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from shoal_worker.archive import Provenance
from shoal_worker.checkpoint import Checkpoint
from shoal_worker.container import VideoInfo
from shoal_worker.detectionlog import DetectionLog
from shoal_worker.detector import Detector, Found
from shoal_worker.embedding import Embedder, embedded
from shoal_worker.errors import TrackingStopped
from shoal_worker.frames import Detections, Floats, TrackTable
from shoal_worker.hardware import GPU_PROVIDERS, decoding_device, installed
from shoal_worker.heap import give_back
from shoal_worker.motion import CameraMotion
from shoal_worker.options import TrackOptions
from shoal_worker.origin import code_identity
from shoal_worker.passes import TrackingPass, tracking_pass
from shoal_worker.prepare import Decoding, Prepared
from shoal_worker.preprocess import Letterbox
from shoal_worker.readahead import read_ahead
from shoal_worker.receipt import StageClock
from shoal_worker.result import Stop
from shoal_worker.tracker import TrackerParameters

if TYPE_CHECKING:
    from shoal_worker.containment.decoding import ContainedDecoding

AnyDecoding: TypeAlias = "Decoding | ContainedDecoding"

Moved: TypeAlias = tuple[Prepared, Detections, Floats | None]
Progress = Callable[[int, int | None], None]
FRAMES_AHEAD = 8
INTERVAL = 0.5


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
class Seen:
    """A video's description, what decoded it, its damaged packets, every detection, and the tracks."""

    info: VideoInfo
    decoder: str
    damaged: int
    log: DetectionLog
    table: TrackTable


@dataclass(frozen=True, slots=True)
class Run:
    """One pass over a video."""

    detector: Detector
    options: TrackOptions
    parameters: TrackerParameters
    tick: Ticker
    stop: Stop
    contained: bool = False
    embedder: Embedder | None = None
    clock: StageClock = field(default_factory=StageClock)

    def track(self, video: Path, decoders: int, checkpoint: Checkpoint | None = None) -> Seen:
        """Decode, detect, look and follow the camera in threads of their own, associate in this one."""
        skip = checkpoint.restored if checkpoint else 0
        decoding, info, log = self._decoding(video, decoders, skip)
        tracking = tracking_pass(
            self.parameters, info.fps, (info.width, info.height), online=self.options.online, log=log
        )
        camera = CameraMotion() if self.parameters.camera_motion else None
        if checkpoint:
            self._restore(checkpoint, log, tracking, camera)
        with self._found(decoding) as found, self._moved(found, camera) as moved:
            self._check(len(log))
            for frame, detections, motion in moved:
                with self.clock.stage("associate"):
                    tracking.add(detections, motion)
                if checkpoint:
                    checkpoint.add(detections, motion, frame.thumbnail)
                self.tick(len(log), info.expected_frames)
                self._check(len(log))
        self.tick(len(log), len(log), last=True)
        log.about |= {"damaged": decoding.damaged, "decoder": decoding.decoder}
        give_back()
        with self.clock.stage("associate"):
            table = tracking.table()
        return Seen(info, decoding.decoder, decoding.damaged, log, table)

    def depends_on(self, video: dict[str, Any], decoders: int = 1) -> dict[str, Any]:
        """Everything that the detections and the camera's motion are a function of."""
        model = self.detector.model
        return {
            "video": video, "code": code_identity(), "model": asdict(model.description), "batch": model.batch,
            "arguments": self.options.text, "floor": self.options.threshold,
            "camera": self.parameters.camera_motion, "decoding": self._hardware(decoders),
            "appearance": self._appearance(),
        }  # fmt: skip

    @contextmanager
    def _found(self, decoding: AnyDecoding) -> Iterator[Iterator[Found]]:
        """The stages up to the association, each in a thread of its own."""
        with (
            read_ahead(self.clock.busy("decode", decoding), FRAMES_AHEAD) as prepared,
            read_ahead(self._detected(prepared, decoding.letterbox), FRAMES_AHEAD) as found,
        ):
            if self.embedder is None:
                yield found
                return
            with read_ahead(self._embedded(found, decoding.info, self.embedder), FRAMES_AHEAD) as looked:
                yield looked

    def _appearance(self) -> dict[str, Any] | None:
        """What the vectors are a function of; None where there are none."""
        if self.embedder is None:
            return None
        return asdict(self.embedder.description) | {"least_score": self.parameters.track_high}

    def _restore(
        self, checkpoint: Checkpoint, log: DetectionLog, tracking: TrackingPass, camera: CameraMotion | None
    ) -> None:
        for detections, motion in checkpoint.replay():
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
        if self.embedder is not None:
            about["appearance"] = self._appearance()
        return decoding, info, DetectionLog(about)

    def _hardware(self, decoders: int) -> str | None:
        if self.contained:
            return None
        return decoding_device(self.detector.model.provider, self.detector.device, installed(), decoders)

    def _opened(self, video: Path, decoders: int, skip: int) -> AnyDecoding:
        def letterbox(frame: tuple[int, int]) -> Letterbox:
            return self.detector.letterbox(frame, self.options)

        wanted: dict[str, Any] = {"camera": self.parameters.camera_motion, "whole": self.embedder is not None}
        if self.contained:
            # Imported here: it needs Linux, and a laptop that tracks its own files need not be one.
            from shoal_worker.containment.decoding import ContainedDecoding

            return ContainedDecoding(video, letterbox, decoders=decoders, skip=skip, **wanted)
        hardware = self._hardware(decoders)
        return Decoding(
            video, letterbox, decoders=decoders, hardware=hardware, skip=skip,
            unscaled=self.detector.model.backend.card is not None, **wanted,
        )  # fmt: skip

    def _detected(self, prepared: Iterator[Prepared], letterbox: Letterbox) -> Iterator[Found]:
        waiting = self.clock.waiting("detect", prepared)
        return self.clock.busy("detect", self.detector.stream(waiting, letterbox, self.options))

    def _embedded(self, found: Iterator[Found], info: VideoInfo, embedder: Embedder) -> Iterator[Found]:
        waiting, size = self.clock.waiting("appearance", found), (info.height, info.width)
        return self.clock.busy("appearance", embedded(waiting, embedder, size, self.parameters.track_high))

    def _moved(
        self, found: Iterator[Found], camera: CameraMotion | None
    ) -> AbstractContextManager[Iterator[Moved]]:
        """With the camera's motion, measured in a thread of its own; where it is not, no thread is made."""
        followed = self._followed(found, camera)
        return nullcontext(followed) if camera is None else read_ahead(followed, FRAMES_AHEAD)

    def _followed(self, found: Iterator[Found], camera: CameraMotion | None) -> Iterator[Moved]:
        for frame, detections in found:
            motion = None
            if camera and frame.thumbnail:
                with self.clock.stage("camera"):
                    motion = camera.follow(*frame.thumbnail)
            yield frame, detections, motion

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
