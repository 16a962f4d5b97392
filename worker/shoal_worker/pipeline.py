"""One video through the whole engine: its stages side by side, then the archive and the pictures."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

from shoal_worker.archive import ArchiveContent, Provenance, archive_name
from shoal_worker.checkpoint import CheckpointStore, open_checkpoint
from shoal_worker.config import TrackConfig, read_track_config
from shoal_worker.detector import Detector
from shoal_worker.embedding import Embedder
from shoal_worker.onnxembedder import embedder_for
from shoal_worker.options import TrackOptions, parse_options
from shoal_worker.origin import Checksum, code_identity
from shoal_worker.result import Pictures, Stop, TrackResult, conclude
from shoal_worker.run import Progress, Run, Ticker
from shoal_worker.table import summarise
from shoal_worker.tracker import TrackerParameters

__all__ = ["Progress", "TrackResult", "track_video"]


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
    appearance: Embedder | Path | None = None,
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
        appearance: what says what objects look like: an embedder or an ``.onnx`` file; None is what
            ``config`` names, which is nothing by default.

    Raises:
        VideoError, ModelError, OptionsError, TrackConfigError: the input is at fault; the message says how to
        mend it. TrackingStopped: ``stop`` said so.
    """
    began = time.perf_counter()
    options = options if isinstance(options, TrackOptions) else parse_options(options)
    config = read_track_config(config) if isinstance(config, Path) else config or TrackConfig()
    detector, embedder = _detector(model, options), embedder_for(config, appearance, options)
    config = config if embedder is None else config.looking()
    parameters = config.resolved(options.confidence)
    options = replace(options, confidence=_floor(options, parameters))
    stop = stop or (lambda: False)
    run = Run(detector, options, parameters, Ticker(progress), stop, contained, embedder)
    checksum = Checksum(video)
    provenance, checkpoint = provenance or Provenance(), None
    if checkpoints is not None:
        depends = run.depends_on(checksum.result(), decoders)
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
