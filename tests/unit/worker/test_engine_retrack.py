"""Stored detections: what was seen comes back exactly, and another tracker needs no video."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
from shoal_worker import (
    Detections,
    Detector,
    Provenance,
    parse_track_config,
    read_archive,
    retrack,
    track_video,
)
from shoal_worker.detectionlog import MEMBER, DetectionLog, read_detections
from shoal_worker.errors import ArchiveError
from tiny_models import write_model
from tiny_videos import picture, write_video

FRAMES = 24
WHO = Provenance(processed_at="2026-11-26T00:00:00Z")
SHIFT = np.array([[1.0, 0, 3], [0, 1, -2]])


@pytest.fixture(scope="module")
def archive(tmp_path_factory) -> Path:
    """Of a video with a red square in every frame and a blue one in all but three."""
    folder = tmp_path_factory.mktemp("archive")

    def scene(number: int) -> np.ndarray:
        blue = [] if number in (10, 11, 12) else [(124, 68, 2)]
        return picture([(28 + 2 * number, 28, 0), *blue])

    video = write_video(folder / "dive.mp4", FRAMES, scene)
    detector = Detector(write_model(folder / "squares.onnx", "yolov8"))
    result = track_video(video, detector, folder, options="--conf-thres 0.6 --iou-thres 0.2", provenance=WHO)
    video.unlink()
    return result.archive


def _boxes(path: Path) -> list[dict]:
    return read_archive(path).detections


def test_the_same_tracker_gives_the_same_tracks(archive, tmp_path):
    # Given an archive whose video is gone, When it is associated again with the same tracker
    result = retrack(archive, tmp_path, provenance=WHO)
    # Then every row is the same, and the archive says where it came from
    assert result.archive.name == archive.name
    assert _boxes(result.archive) == _boxes(archive)
    assert read_archive(result.archive).mot == read_archive(archive).mot
    about = read_archive(result.archive).metadata["shoal"]
    assert about["video"]["decoder"] == "mpeg4, associated again from dive.tracks.tar.gz"
    assert about["model"] == read_archive(archive).metadata["shoal"]["model"]
    assert result.frames == FRAMES


@pytest.mark.parametrize(("buffer", "tracks"), [(30, 2), (1, 3)])
def test_another_tracker_gives_its_own_tracks(archive, tmp_path, buffer, tracks):
    # Given a tracker that forgets after a second, or at once
    config = parse_track_config(f"tracker_type: bytetrack\ntrack_buffer: {buffer}")
    # When the detections are associated again, Then the blue square's gap costs it its identity, or does not
    result = retrack(archive, tmp_path, config=config, options="--online")
    assert result.tracks == tracks


@pytest.mark.parametrize(
    ("options", "labels"),
    [
        ("--classes 0", {"red": 1}),
        ("--classes 1", {}),
        ("--conf-thres 0.999", {}),
        ("", {"red": 1, "blue": 1}),
    ],
)
def test_classes_and_confidence_are_chosen_again(archive, tmp_path, options, labels):
    assert retrack(archive, tmp_path, options=options).labels == labels


def test_what_was_not_kept_is_said(archive, tmp_path):
    # Given detections kept from 0.6 up without the camera's motion
    config = parse_track_config("STRONGSORT: {ECC: true}")
    # When a tracker asks for less and for the camera, Then both are said, and how to mend it
    notes = retrack(archive, tmp_path, config=config, options="--conf-thres 0.3").notes
    assert [note.split(" ")[0] for note in notes[-2:]] == ["detections", "the"]
    assert all("track the video again" in note for note in notes[-2:])


def _log() -> DetectionLog:
    log = DetectionLog({"names": ["a"]})
    for count in (2, 0, 3):
        boxes = np.arange(4 * count, dtype=np.float32).reshape(count, 4) / 7
        found = Detections(boxes, np.full(count, 0.5, np.float32), np.arange(count))
        log.add(found, SHIFT if count else None)
    return log


def test_a_log_comes_back_to_the_bit(tmp_path):
    # Given detections of three frames, one of them empty, and the camera's motion in two
    log = _log()
    (tmp_path / "detections.npz").write_bytes(log.dump())
    # When they are read back
    again = read_detections(tmp_path / "detections.npz")
    # Then nothing changed, and the same log gives the same bytes
    assert (len(again), again.about, again.measured) == (3, {"names": ["a"]}, True)
    for (found, motion), (before, moved) in zip(again, log, strict=True):
        assert found.boxes.tolist() == before.boxes.tolist()
        assert (found.scores.tolist(), found.classes.tolist()) == (
            before.scores.tolist(), before.classes.tolist(),
        )  # fmt: skip
        assert (motion is None) == (moved is None)
    assert again.dump() == log.dump()


def _without(path: Path) -> None:
    with tarfile.open(path, "w:gz") as archive:
        archive.addfile(tarfile.TarInfo("a.txt"))


def _with(content: bytes):
    def write(path: Path) -> None:
        with tarfile.open(path, "w:gz") as archive:
            member = tarfile.TarInfo(MEMBER)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))

    return write


def _arrays(**changed: np.ndarray) -> bytes:
    with np.load(io.BytesIO(_log().dump())) as stored:
        arrays = dict(stored) | changed
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("write", "says"),
    [
        (lambda path: path.write_bytes(b"nonsense"), "cannot be read"),
        (_without, "holds no detections.npz"),
        (_with(b"PK nonsense"), "damaged"),
        (_with(_arrays(counts=np.array([9, 9, 9], np.int32))), "damaged"),
        (_with(_arrays(counts=np.array([6, -1, 0], np.int32))), "damaged"),
        (_with(_arrays(boxes=np.zeros((5, 3), np.float32))), "damaged"),
        (_with(_arrays(motion=np.zeros((2, 2, 3)))), "damaged"),
        (_with(_arrays(counts=np.array([object()], object))), "damaged"),
        (_with(_log().dump()), "does not say where"),
    ],
)
def test_what_holds_no_detections_is_refused_with_what_to_do(tmp_path, write, says):
    path = tmp_path / "a.tracks.tar.gz"
    write(path)
    with pytest.raises(ArchiveError, match=says):
        retrack(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()
