"""The archive by its two schemas, written down here once: MBARI's own files of both layouts satisfy them, and
so does ours. Where ours differs, the table of allowances says in what."""

from __future__ import annotations

import csv
import io
import json
import re
import tarfile
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from shoal_worker import Provenance, parse_track_config, track_video
from tiny_models import write_model
from tiny_videos import picture, write_video

MBARI = Path(__file__).parents[4] / "shared" / "data" / "mbari"
STEM = "i2MAP_20250403T092817Z_1000m_F031_25"
WHO = Provenance("ann", "shoal-dive-7", "registry/worker:1", ("dettrack", "--v"), "s3://v/dive.mp4")

Schema = dict[str, tuple[type, ...]]
Folder = dict[str, bytes]
"""Member names with their content."""

DETECTION: Schema = {
    "frame": (int,), "tracker_id": (int,), "label": (str,), "score": (float,),
    "x": (float,), "y": (float,), "xx": (float,), "xy": (float,),
}  # fmt: skip
"""Of the newer layout: corners in shares of the picture, from the top left."""
FILLED: Schema = {"interpolated": (int,), "gap_frames": (int,)}
"""More columns of ours, where a box was filled in."""
TRACK: Schema = {
    "tracker_id": (int,), "label": (str,), "first_frame": (int,), "last_frame": (int,),
    "frame_count": (int,), "avg_score": (float,),
}  # fmt: skip
METADATA: Schema = {
    "video_name": (str,), "video_path": (str,), "processed_at": (str,), "total_frames": (int,),
    "video_width": (int,), "video_height": (int,), "video_fps": (float,), "total_detections": (int,),
    "unique_tracks": (int,), "detection_threshold": (float,), "min_track_frames": (int,),
    "slice_size": (int, type(None)),
}  # fmt: skip
THEIR_MODEL: Schema = {"rfdetr_model": (str,)}
OUR_MODEL: Schema = {"model": (str,), "shoal": (dict,)}
"""The one key of theirs that we cannot give the name of: our networks are of six families."""
EVENT: Schema = {
    "bounding_box": (dict,), "class_name": (str,), "confidence": (float, int), "frame_num": (int,),
    "occlusion": (int,), "surprise": (int,), "track_uuid": (str,), "uuid": (str,),
}  # fmt: skip
BOX: Schema = {"height": (int,), "width": (int,), "x": (int,), "y": (int,)}
JOB: Schema = {
    "UserName": (str,), "ProcessingJobName": (str,), "AppSpecification": (dict,), "VideoName": (str,),
}  # fmt: skip


def has_form(value: dict[str, Any], *schemas: Schema) -> None:
    """The keys in their order, each of its type; a bool is no number."""
    wanted = {key: types for schema in schemas for key, types in schema.items()}
    assert list(value) == list(wanted)
    wrong = {key: value[key] for key, types in wanted.items() if type(value[key]) not in types}
    assert wrong == {}


def check_newer(folder: Folder, model: Schema, *, filled: bool = False) -> None:
    """``detections.csv`` and ``.json``, ``tracks.csv``, ``metadata.json``, and that they agree."""
    assert set(folder) == {"detections.csv", "detections.json", "tracks.csv", "metadata.json"}
    columns = DETECTION | FILLED if filled else DETECTION
    rows = json.loads(folder["detections.json"])
    tracks, about = table(folder["tracks.csv"], TRACK), json.loads(folder["metadata.json"])
    assert rows == table(folder["detections.csv"], columns)
    for row in rows:
        has_form(row, columns)
    has_form(about, METADATA, model)
    check_boxes(rows, about)
    check_tracks(tracks, [row for row in rows if not row.get("interpolated")])
    assert (about["total_detections"], about["unique_tracks"]) == (len(rows), len(tracks))
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z", about["processed_at"])
    assert 0 <= about["detection_threshold"] <= 1
    assert Path(about["video_name"]).suffix != ""


def check_boxes(rows: list[dict[str, Any]], about: dict[str, Any]) -> None:
    """Frames from 1 in order, shares of the picture, scores from 0 to 1."""
    frames = [row["frame"] for row in rows]
    assert frames == sorted(frames)
    assert all(1 <= frame <= about["total_frames"] for frame in frames)
    assert all(0 <= row["x"] < row["xx"] <= 1 for row in rows)
    assert all(0 <= row["y"] < row["xy"] <= 1 for row in rows)
    assert all(0 <= row["score"] <= 1 for row in rows)


def check_tracks(tracks: list[dict[str, Any]], rows: list[dict[str, Any]]) -> None:
    """Each track sums up its rows: first and last frame, how many, the mean score, one of their labels."""
    assert [track["tracker_id"] for track in tracks] == sorted({row["tracker_id"] for row in rows})
    for track in tracks:
        own = [row for row in rows if row["tracker_id"] == track["tracker_id"]]
        assert (track["first_frame"], track["last_frame"], track["frame_count"]) == (
            own[0]["frame"], own[-1]["frame"], len(own),
        )  # fmt: skip
        assert track["avg_score"] == pytest.approx(sum(row["score"] for row in own) / len(own), abs=1e-6)
        assert track["label"] in {row["label"] for row in own}


def table(content: bytes, schema: Schema) -> list[dict[str, Any]]:
    """A CSV with exactly these columns, its values as they are typed."""
    lines = list(csv.reader(io.StringIO(content.decode(), newline="")))
    assert lines[0] == list(schema)
    return [
        {name: kind(text) for (name, (kind, *_)), text in zip(schema.items(), line, strict=True)}
        for line in lines[1:]
    ]


def check_older(members: Folder, stem: str) -> None:
    """``processingjobconfig.json``, ``tracks/<stem>.txt`` and a file of visual events for each frame."""
    job = json.loads(members["processingjobconfig.json"])
    has_form(job, JOB)
    has_form(job["AppSpecification"], {"ImageUri": (str,), "ContainerArguments": (list,)})
    boxes = mot_rows(members[f"tracks/{stem}.txt"])
    frames = {name: content for name, content in members.items() if re.fullmatch(r"f\d{6}\.json", name)}
    assert {int(name[1:7]) for name in frames} == {frame for frame, _ in boxes}
    assert sum(check_events(content, int(name[1:7])) for name, content in frames.items()) == len(boxes)


def check_events(content: bytes, frame: int, event_form: Schema = EVENT) -> int:
    """``["visualevents", [["visualevent", {...}], ...]]``; how many there are."""
    word, events = json.loads(content)
    assert word == "visualevents"
    for name, event in events:
        assert (name, event["frame_num"]) == ("visualevent", frame)
        more = {key: (bool, int) for key in ("interpolated", "gap_frames") if key in event}
        has_form(event, event_form, more)
        has_form(event["bounding_box"], BOX)
        assert event["bounding_box"]["width"] > 0 < event["bounding_box"]["height"]
        assert all(uuid.UUID(event[key]) for key in ("uuid", "track_uuid") if key in event)
    return len(events)


def mot_rows(text: bytes) -> list[tuple[int, int]]:
    """Frame and identity of each line: both from 1, then left, top, width, height, score and three -1."""
    lines = [line.split(" ") for line in text.decode().splitlines()]
    assert all(len(line) == 10 and line[7:] == ["-1"] * 3 and 0 <= float(line[6]) <= 1 for line in lines)
    assert all(float(line[4]) > 0 < float(line[5]) for line in lines)
    found = [(int(line[0]), int(line[1])) for line in lines]
    assert found == sorted(found)
    assert all(frame > 0 < identity for frame, identity in found)
    return found


def _dive(number: int) -> Any:
    """A red square with a gap of four frames; a blue one from frame 9 on."""
    red = [] if 10 <= number < 14 else [(30 + 2 * number, 28, 0)]
    return picture([*red, (124, 68, 2)] if number >= 9 else red)


@pytest.fixture(scope="module", params=["online", "filled"])
def archive(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Folder]:
    """How it was associated, and every member of the archive."""
    folder = tmp_path_factory.mktemp("schema")
    video = write_video(folder / f"{STEM}.mp4", 24, _dive)
    flag = "--online" if request.param == "online" else ""
    made = track_video(
        video, write_model(folder / "squares.onnx", "yolov8"), folder, provenance=WHO,
        options=f"--conf-thres=0.6 --iou-thres=0.2 {flag}",
        config=parse_track_config("STRONGSORT: {N_INIT: 2}"),
    )  # fmt: skip
    with tarfile.open(made.archive) as opened:
        files = {one.name: opened.extractfile(one).read() for one in opened}  # type: ignore[union-attr]
    return str(request.param), files


def newer_of(members: Folder) -> Folder:
    top = f"{STEM}.tracks/"
    return {name.removeprefix(top): content for name, content in members.items() if name.startswith(top)}


def test_our_archive_has_the_newer_layout(archive: tuple[str, Folder]) -> None:
    how, members = archive
    check_newer(newer_of(members), OUR_MODEL, filled=how == "filled")


def test_our_archive_has_the_older_layout(archive: tuple[str, Folder]) -> None:
    check_older(archive[1], STEM)


def test_both_layouts_hold_the_same_boxes(archive: tuple[str, Folder]) -> None:
    rows = json.loads(newer_of(archive[1])["detections.json"])
    assert mot_rows(archive[1][f"tracks/{STEM}.txt"]) == [(row["frame"], row["tracker_id"]) for row in rows]
    assert {row["tracker_id"] for row in rows} == {1, 2}


def test_a_result_without_tracks_has_both_layouts_too(tmp_path: Path) -> None:
    video = write_video(tmp_path / f"{STEM}.mp4", 6, _dive)
    model = write_model(tmp_path / "squares.onnx", "yolov8")
    made = track_video(video, model, tmp_path, options="--classes 1", provenance=WHO)
    with tarfile.open(made.archive) as opened:
        members = {one.name: opened.extractfile(one).read() for one in opened}  # type: ignore[union-attr]
    check_newer(newer_of(members), OUR_MODEL)
    check_older(members, STEM)


beside = pytest.mark.skipif(not MBARI.is_dir(), reason="MBARI's archives are not beside the project")


@pytest.mark.data
@beside
def test_mbaris_own_archive_satisfies_the_newer_schema() -> None:
    check_newer(golden(), THEIR_MODEL)


@pytest.mark.data
@beside
def test_mbaris_own_events_satisfy_the_older_schema() -> None:
    # Given the first tracker's events: a class's number too, and the track's identity as ``uuid``
    theirs = {key: kind for key, kind in EVENT.items() if key != "track_uuid"}
    form = {"bounding_box": (dict,), "class_index": (int,), **theirs}
    files = sorted((MBARI / "deepsea_track" / "benthic_tracks").glob("f*.json"))
    # When, Then
    assert (
        sum(check_events(file.read_bytes(), int(file.stem[1:]), form) for file in files) == len(files) == 12
    )


def golden() -> Folder:
    return {path.name: path.read_bytes() for path in (MBARI / "i2map_tracks").iterdir()}


def _in_pixels(folder: Folder) -> None:
    rows = json.loads(folder["detections.json"])
    for row in rows:
        row["x"], row["xx"] = row["x"] * 160, row["xx"] * 160
    _rewrite(folder, rows)


def _as_sizes(folder: Folder) -> None:
    rows = json.loads(folder["detections.json"])
    for row in rows:
        row["xx"] -= row["x"]
    _rewrite(folder, rows)


def _from_zero(folder: Folder) -> None:
    rows = json.loads(folder["detections.json"])
    for row in rows:
        row["frame"] -= rows[0]["frame"]
    _rewrite(folder, rows)


def _rewrite(folder: Folder, rows: list[dict[str, Any]]) -> None:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    folder["detections.csv"], folder["detections.json"] = text.getvalue().encode(), json.dumps(rows).encode()


def _replaced(name: str, old: bytes, new: bytes) -> Callable[[Folder], None]:
    def change(folder: Folder) -> None:
        assert old in folder[name]
        folder[name] = folder[name].replace(old, new, 1)

    return change


@pytest.mark.parametrize(
    "change",
    [
        _in_pixels,
        _as_sizes,
        _from_zero,
        _replaced("detections.csv", b"x,y,xx,xy", b"x,xx,y,xy"),
        _replaced("tracks.csv", b"first_frame,last_frame", b"last_frame,first_frame"),
        _replaced("tracks.csv", b"avg_score", b"score"),
        _replaced("metadata.json", b'"video_fps": 30.0', b'"video_fps": "30"'),
        _replaced("metadata.json", b'"total_frames": 24', b'"total_frames": 5'),
        _replaced("metadata.json", b'"unique_tracks": 2', b'"unique_tracks": 3'),
        _replaced("metadata.json", b"total_detections", b"detections"),
        lambda folder: folder.pop("detections.json"),
    ],
)
def test_the_schema_refuses_another_form(
    change: Callable[[Folder], object], archive: tuple[str, Folder]
) -> None:
    how, members = archive
    folder = newer_of(members)
    change(folder)
    with pytest.raises((AssertionError, ValueError)):
        check_newer(folder, OUR_MODEL, filled=how == "filled")
