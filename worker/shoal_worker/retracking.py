"""Associates stored detections again, with another tracker, without the video and without the network."""

from __future__ import annotations

import time
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from shoal_worker.archive import SUFFIX, ArchiveContent, Provenance, archive_name
from shoal_worker.config import TrackConfig, read_track_config
from shoal_worker.container import VideoInfo
from shoal_worker.detectionlog import DetectionLog, read_detections
from shoal_worker.errors import ArchiveError
from shoal_worker.frames import Detections, TrackTable
from shoal_worker.model import ModelDescription
from shoal_worker.options import TrackOptions, parse_options
from shoal_worker.passes import tracking_pass
from shoal_worker.result import Pictures, TrackResult, conclude
from shoal_worker.table import summarise
from shoal_worker.tracker import TrackerParameters


def retrack(
    source: Path,
    output: Path,
    *,
    config: TrackConfig | Path | None = None,
    options: TrackOptions | str | None = None,
    provenance: Provenance | None = None,
    appearance: bool | None = None,
) -> TrackResult:
    """Track the detections of an archive again and write another archive.

    Args:
        source: a ``tracks.tar.gz``, or the ``detections.npz`` out of one.
        output: a folder, or a path that ends in ``.tar.gz``.
        config: the tracker's YAML, parsed or as a file; None is our default.
        options: of the ``--args``, ``--conf-thres``, ``--classes`` and ``--online`` count; None takes the
            confidence of the first run.
        provenance: who asked; the video's name and model are those of the first run.
        appearance: whether what the objects look like counts, where the archive knows it; None is as
            ``config`` says, and on where it says nothing.

    Raises:
        ArchiveError: there are no detections in it. OptionsError, TrackConfigError: as ``track_video``.
    """
    began = time.perf_counter()
    log = read_detections(source)
    info, model, names, floor, first = _origin(log, source)
    options = options if isinstance(options, TrackOptions) else parse_options(options)
    config = read_track_config(config) if isinstance(config, Path) else config or TrackConfig()
    wanted = config.appearance if appearance is None else appearance
    config = config.looking() if log.looked and wanted is not False else config
    parameters = config.resolved(first if options.confidence is None else options.confidence)
    decoder = f"{log.about.get('decoder')}, associated again from {source.name}"
    table = _associate(log, info, parameters, options)
    notes = (*options.notes, *config.notes, *_missing(log, parameters, floor, bool(wanted)))
    content = ArchiveContent(
        info, len(log), table, tuple(summarise(table, lambda index: _label(names, index))), names,
        replace(options, confidence=floor), parameters, config.kind, model, int(log.about.get("damaged", 0)),
        notes, provenance or Provenance(), decoder, log, config.text,
    )  # fmt: skip
    target = output if output.name.endswith(SUFFIX) else output / archive_name(Path(info.name))
    return conclude(content, target, Pictures(), lambda: False, lambda: time.perf_counter() - began)


def _origin(
    log: DetectionLog, source: Path
) -> tuple[VideoInfo, ModelDescription, tuple[str, ...], float, float | None]:
    """The video, the model, its names, the lowest score that was kept, and the ``--conf-thres`` of the
    run."""
    about: dict[str, Any] = log.about
    try:
        video, model = dict(about["video"]), dict(about["model"])
        info = VideoInfo(**video | {"rate": Fraction(video["rate"]), "name": Path(video["name"]).name})
        first = parse_options(str(about["arguments"])).confidence
        description = ModelDescription(**model | {"size": tuple(model["size"])})
        return info, description, tuple(map(str, about["names"])), float(about["floor"]), first
    except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        raise ArchiveError(
            f"{source.name} does not say where its detections come from ({error!r}): track the video again"
        ) from error


def _associate(
    log: DetectionLog, info: VideoInfo, parameters: TrackerParameters, options: TrackOptions
) -> TrackTable:
    tracking = tracking_pass(parameters, info.fps, (info.width, info.height), online=options.online)
    for found, motion in log:
        seen = found if parameters.appearance else replace(found, features=None)
        tracking.add(_wanted(seen, options), motion if parameters.camera_motion else None)
    return tracking.table()


def _wanted(found: Detections, options: TrackOptions) -> Detections:
    found = found.keep(options.chosen(found.classes))
    if options.confidence is not None:
        found = found.keep(found.scores > options.confidence)
    return found


def _missing(
    log: DetectionLog, parameters: TrackerParameters, floor: float, looking: bool
) -> tuple[str, ...]:
    least = _looked_from(log)
    sentences = {
        f"detections below {floor} were not kept and cannot be associated: track the video again for them": (
            parameters.track_low < floor
        ),
        "the camera's motion was not measured and cannot be used: track the video again for it": (
            parameters.camera_motion and not log.measured
        ),
        "what the objects look like was not kept and cannot count: track the video again with an appearance "
        "model": looking and not log.looked,
        f"detections below {least} were not looked at and count by their place alone: track it again": (
            parameters.appearance and parameters.track_high < least
        ),
    }
    return tuple(sentence for sentence, holds in sentences.items() if holds)


def _looked_from(log: DetectionLog) -> float:
    """The lowest score that the first run's appearance model was asked about."""
    return float((log.about.get("appearance") or {}).get("least_score", 0.0))


def _label(names: tuple[str, ...], index: int) -> str:
    return names[index] if 0 <= index < len(names) else f"class{index}"
