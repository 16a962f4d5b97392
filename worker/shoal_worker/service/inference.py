"""The engine as the service uses it: one model for queue and HTTP alike, and the service's errors."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from shoal.contracts.job import JobMessage

from shoal_worker import Detector, Provenance, TrackOptions, TrackResult, parse_options, track_video
from shoal_worker.checkpoint import CheckpointStore, discard_checkpoint
from shoal_worker.config import TrackConfig, read_track_config
from shoal_worker.embedding import Embedder
from shoal_worker.errors import (
    EngineError,
    ModelError,
    OptionsError,
    PictureError,
    TrackConfigError,
    VideoError,
)
from shoal_worker.frames import Image
from shoal_worker.onnxembedder import embedder_for
from shoal_worker.service.checkpoints import clear, tell
from shoal_worker.service.errors import JobRejected, ModelUnavailable, Transient, VideoUnreadable
from shoal_worker.service.gathering import Gathering, PixelBudget
from shoal_worker.service.images import MAXIMUM_PIXELS, checked_size, decode_image
from shoal_worker.service.limits import (
    MAXIMUM_IMAGE_BYTES,
    MAXIMUM_PICTURE_DECODERS,
    MAXIMUM_VIDEO_FRAMES,
    MAXIMUM_VIDEOS,
)
from shoal_worker.service.messages import VideoJob
from shoal_worker.service.prediction import boxes_of, tracks_of
from shoal_worker.service.problems import Problem, not_now, too_large, unreadable
from shoal_worker.service.progress import Attempt
from shoal_worker.service.settings import WorkerSettings
from shoal_worker.service.video_work import Tracked


def load_shared_model(
    path: Path, config: Path | None, settings: WorkerSettings, find: Callable[[str], Path] = Path
) -> SharedModel:
    """Load the model, the tracker's configuration with the appearance model that it names, and the default
    arguments: a fault shows at the start. ``find`` gives the local path of the appearance model's location.

    Raises:
        ModelUnavailable: one of them cannot be used; the engine's message says what to do.
    """
    try:
        options = parse_options(settings.args)
        tracking = read_track_config(config) if config else TrackConfig()
        detector = Detector(path, device=options.device, half=options.half)
        embedder = embedder_for(tracking, find(tracking.model) if tracking.model else None, options)
        gathering = Gathering(lambda images: detector.detect_many(images, options))
        return SharedModel(detector, tracking, options, settings, gathering, _pictures(settings), embedder)
    except (ModelError, OptionsError, TrackConfigError) as error:
        raise ModelUnavailable(error.detail) from error


def _pictures(settings: WorkerSettings) -> Callable[[bytes], Image]:
    """What decodes the pictures of requests: contained processes, started here, or this one."""
    if not (settings.contained and settings.has_endpoint):
        return decode_image
    # Imported here, as for videos: it needs Linux.
    from shoal_worker.containment.pictures import Bounds, PictureDecoders

    count = min(MAXIMUM_PICTURE_DECODERS, len(os.sched_getaffinity(0)))
    return PictureDecoders(count, Bounds(MAXIMUM_IMAGE_BYTES, MAXIMUM_PIXELS)).decode


@dataclass(frozen=True)
class SharedModel:
    """The loaded model with the deployment's tracker configuration and arguments."""

    detector: Detector
    config: TrackConfig
    options: TrackOptions
    settings: WorkerSettings
    gathering: Gathering
    decode: Callable[[bytes], Image] = decode_image
    embedder: Embedder | None = None
    checkpoints: Callable[[VideoJob], CheckpointStore] | None = None
    pixels: PixelBudget = field(default_factory=PixelBudget)
    videos: threading.BoundedSemaphore = field(
        default_factory=lambda: threading.BoundedSemaphore(MAXIMUM_VIDEOS)
    )

    def describe(self) -> dict[str, Any]:
        """``{"model": {"name", "sha256", ...}, "backend": ...}`` for the status and the logs."""
        model = self.detector.model
        height, width = model.size
        about = {
            "name": model.name,
            "sha256": model.sha256,
            "classes": len(model.names),
            "input": [width, height],
        }
        looks = {} if self.embedder is None else {"appearance": self.embedder.description.name}
        return {"model": about, "backend": model.provider, **looks}

    def track_job(self, job: VideoJob, video: Path, folder: Path, attempt: Attempt) -> Tracked:
        """Track one queued video into ``folder``; the message's arguments come after the deployment's.

        Raises:
            JobRejected: the video or its arguments are at fault.
            Transient: the model failed on it, as it does when the GPU's memory is short.
        """
        text = f"{self.settings.args} {job.message.args}".strip()
        store = self.checkpoints(job) if self.checkpoints else None
        with _no_checkpoint_of_the_unreadable(store), _job_errors():
            result = track_video(
                video,
                self.detector,
                folder,
                config=self.config,
                options=text,
                provenance=self._provenance(job, text),
                progress=attempt.phase("track"),
                contained=self.settings.contained,
                receipt=True,
                stop=_asked(attempt.check),
                checkpoints=store,
                appearance=self.embedder,
            )
        footage = result.frames / result.video.fps if result.video.fps else 0.0
        return Tracked(result.archive, result.frames, result.tracks, footage, _clearing(result, job))

    def predict_image(self, data: bytes) -> dict[str, Any]:
        """Boxes of one encoded image.

        Raises:
            Problem: it is no image, or too large, or the model failed.
        """
        width, height = checked_size(data)
        with self.pixels.hold(width * height), _http_errors():
            image = self.decode(data)
            if sorted(image.shape[:2]) != sorted((height, width)):
                raise unreadable("the image has another size than its header says: write it again")
            found = self.gathering.detect(image)
        height, width = image.shape[:2]
        return {
            "boxes": boxes_of(found, self.detector.label),
            "width": width,
            "height": height,
            "model": self.detector.model.name,
        }

    def predict_video(self, video: Path) -> dict[str, Any]:
        """Tracks of one short video.

        Raises:
            Problem: it is no video, too long, or the model failed.
        """
        if not self.videos.acquire(blocking=False):
            raise not_now(f"{MAXIMUM_VIDEOS} videos are being tracked: try again, or use the queue")
        try:
            return self._predict_video(video)
        finally:
            self.videos.release()

    def _predict_video(self, video: Path) -> dict[str, Any]:
        options = replace(self.options, save_video=False)
        with tempfile.TemporaryDirectory(dir=video.parent) as folder, _http_errors():
            result = track_video(
                video, self.detector, Path(folder), config=self.config, options=options, stop=_frame_limit(),
                contained=self.settings.contained, appearance=self.embedder,
            )  # fmt: skip
            return tracks_of(result) | {"model": self.detector.model.name}

    def _provenance(self, job: VideoJob, text: str) -> Provenance:
        message: JobMessage = job.message
        return Provenance(
            user_name=message.user_name,
            processing_job_name=f"{self.settings.deployment}-{message.job_name or job.job_id}",
            image_uri=self.settings.image_uri,
            arguments=("--model", self.settings.model, "--args", text),
            video_path=f"s3://{self.settings.video_bucket}/{message.video}",
            image_digest=self.settings.image_digest or self.settings.image_uri.partition("@")[2],
            model_version=self.settings.model_version,
            instance_type=self.settings.instance_type,
            usd_per_hour=self.settings.usd_per_hour,
        )


@contextmanager
def _no_checkpoint_of_the_unreadable(store: CheckpointStore | None) -> Iterator[None]:
    """Nobody goes on with a video that cannot be decoded; one that timed out may be submitted again."""
    try:
        yield
    except VideoUnreadable:
        if store is not None:
            discard_checkpoint(store)
        raise


def _clearing(result: TrackResult, job: VideoJob) -> Callable[[], None]:
    checkpoint = result.checkpoint
    if checkpoint is None:
        return lambda: None
    tell(checkpoint, job.job_id)
    return lambda: clear(checkpoint, job.job_id)


def _asked(check: Callable[[], None]) -> Callable[[], bool]:
    """The engine's ``stop`` of an attempt, which raises its own error where the engine would only be told."""

    def stop() -> bool:
        check()
        return False

    return stop


def _frame_limit() -> Callable[[], bool]:
    frames = 0

    def stop() -> bool:
        nonlocal frames
        frames += 1
        if frames > MAXIMUM_VIDEO_FRAMES:
            raise too_large(
                f"the video has over {MAXIMUM_VIDEO_FRAMES} frames: cut it or use the queue (shoal process)"
            )
        return False

    return stop


@contextmanager
def _job_errors() -> Iterator[None]:
    try:
        yield
    except VideoError as error:
        raise VideoUnreadable(error.detail) from error
    except (OptionsError, TrackConfigError) as error:
        raise JobRejected(error.detail) from error
    except EngineError as error:
        raise Transient(f"{error.code}: {error.detail}") from error


@contextmanager
def _http_errors() -> Iterator[None]:
    try:
        yield
    except (VideoError, PictureError) as error:
        raise unreadable(error.detail) from error
    except ModelError as error:
        raise not_now(f"the model failed on this input: {error.detail}") from error
    except EngineError as error:
        raise Problem(422, error.code, "The request cannot be worked on", error.detail) from error
