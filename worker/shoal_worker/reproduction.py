"""Makes a result again from its archive, its video and its model, and compares the two, member by member."""

from __future__ import annotations

import hashlib
import tarfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from shoal_worker.archive import RECEIPT, SUFFIX, Provenance
from shoal_worker.archivereader import TracksArchive, read_archive
from shoal_worker.config import TrackConfig, parse_track_config
from shoal_worker.detector import Detector
from shoal_worker.embedding import Embedder
from shoal_worker.errors import ArchiveError, ReproductionError
from shoal_worker.onnxembedder import embedder_for
from shoal_worker.options import parse_options
from shoal_worker.origin import code_identity, file_digest
from shoal_worker.pipeline import Progress, track_video


@dataclass(frozen=True, slots=True)
class Reproduction:
    """``archive`` is the new one; ``differing`` the members that are not the same to the byte, without the
    receipt; ``same_tracks`` whether every box is; ``notes`` what was different about the two runs."""

    archive: Path
    same_tracks: bool
    differing: tuple[str, ...]
    notes: tuple[str, ...]


def reproduce(
    archive: Path,
    video: Path,
    model: Path,
    output: Path,
    *,
    progress: Progress | None = None,
    appearance: Path | None = None,
) -> Reproduction:
    """Track ``video`` again as ``archive`` says it was, into the folder ``output``. ``appearance`` is the
    appearance model, where it had one that its tracker's file does not name by a path.

    Raises:
        ArchiveError: the archive does not say how it was made.
        ReproductionError: the video, the model or the appearance model is another one than then.
    """
    before = read_archive(archive)
    how, origin = _how(before, archive)
    _check_same(video, origin["video"]["sha256"], "video")
    options = parse_options(how["arguments"])
    detector = Detector(model, device=options.device, half=options.half)
    if detector.model.sha256 != how["model"]["sha256"]:
        raise ReproductionError(
            f"{model.name} is not the model of this result: find the one whose sha256 is "
            f"{how['model']['sha256']}"
        )
    text = origin["track_config"]
    config = parse_track_config(text) if text else TrackConfig()
    embedder = embedder_for(config, appearance, options)
    _check_same_looks(embedder, how.get("appearance"))
    target = output / archive.name
    if target.resolve() == archive.resolve():
        raise ReproductionError(f"{output} holds the archive itself: choose another folder")
    result = track_video(
        video, detector, target, config=config, options=options, provenance=_provenance(before, origin),
        progress=progress, appearance=embedder,
    )  # fmt: skip
    differing = compare_archives(archive, result.archive)
    after = read_archive(result.archive)
    same = (before.detections, before.tracks) == (after.detections, after.tracks)
    return Reproduction(result.archive, same, differing, _differences(how, origin, after))


def compare_archives(one: Path, other: Path) -> tuple[str, ...]:
    """The members whose bytes are not the same in both, or that only one of them has; not the receipt."""
    left, right = _digests(one), _digests(other)
    return tuple(sorted(name for name in left.keys() | right.keys() if left.get(name) != right.get(name)))


def _digests(archive: Path) -> dict[str, str]:
    """By name, without the folder that is named as the archive."""
    digests: dict[str, str] = {}
    folder = archive.name.removesuffix(SUFFIX) + "/"
    with tarfile.open(archive, "r|gz") as members:
        for member in members:
            source = members.extractfile(member)
            if source is None or PurePosixPath(member.name).name == RECEIPT:
                continue
            digest = hashlib.sha256()
            while part := source.read(1 << 20):
                digest.update(part)
            digests[member.name.removeprefix(folder)] = digest.hexdigest()
    return digests


def _how(read: TracksArchive, archive: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    how = read.metadata.get("shoal", {})
    origin = how.get("origin", {}) if isinstance(how, dict) else {}
    if not isinstance(origin, dict) or "code" not in origin or not origin.get("video", {}).get("sha256"):
        raise ArchiveError(f"{archive.name} does not say how it was made: it is of an older worker")
    if "associated again" in str(how.get("video", {}).get("decoder", "")):
        raise ArchiveError(f"{archive.name} was associated again: reproduce the archive it was made from")
    return how, origin


def _check_same(file: Path, digest: str, what: str) -> None:
    if not file.is_file():
        raise ReproductionError(f"there is no {what} {file}: check the path")
    if file_digest(file) != digest:
        raise ReproductionError(
            f"{file.name} is not the {what} of this result: find the one whose sha256 is {digest}"
        )


def _check_same_looks(embedder: Embedder | None, before: dict[str, Any] | None) -> None:
    had, has = (before or {}).get("sha256"), embedder.description.sha256 if embedder else None
    if had != has:
        wanted = f"the appearance model whose sha256 is {had}" if had else "no appearance model"
        raise ReproductionError(f"this result was made with {wanted}: give that one")


def _provenance(read: TracksArchive, origin: dict[str, Any]) -> Provenance:
    job, specification = read.job_config, read.job_config["AppSpecification"]
    return Provenance(
        user_name=job["UserName"], processing_job_name=job["ProcessingJobName"],
        image_uri=specification["ImageUri"], arguments=tuple(specification["ContainerArguments"]),
        video_path=read.metadata["video_path"], processed_at=read.metadata["processed_at"],
        image_digest=origin["image"]["digest"], model_version=origin["model_version"],
    )  # fmt: skip


def _differences(how: dict[str, Any], origin: dict[str, Any], after: TracksArchive) -> tuple[str, ...]:
    """What was not the same about the two runs, in sentences."""
    now, code = after.metadata["shoal"], code_identity()
    ran, runs = how["model"], now["model"]
    decoded, decodes = how["video"].get("decoder"), now["video"]["decoder"]
    backend = f"{ran['provider']} in {ran.get('precision')}"
    sentences = {
        f"the network ran on {backend}, now on {runs['provider']} in {runs['precision']}": (
            (ran["provider"], ran.get("precision")) != (runs["provider"], runs["precision"])
        ),
        f"decoded by {decoded}, now by {decodes}": decoded != decodes,
        f"the code was {origin['code']['version']}, now {code['version']}, with other files": (
            origin["code"]["sha256"] != code["sha256"]
        ),
        f"the libraries were {origin['code']['libraries']}, now {code['libraries']}": (
            origin["code"]["libraries"] != code["libraries"]
        ),
    }
    return tuple(sentence for sentence, holds in sentences.items() if holds)
