"""Exports, opened by the tools they are for: pycocotools, trackeval, pyarrow, an XML parser."""

from __future__ import annotations

import configparser
import json
import shutil
import xml.etree.ElementTree as ElementTree
import zipfile
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import trackeval
from pyarrow import parquet
from pycocotools.coco import COCO
from shoal_cli.export import ExportFailed
from shoal_cli.main import app
from shoal_worker import track_video
from shoal_worker.errors import ArchiveError, ExportError
from shoal_worker.exports import FORMATS, export_archive, read_content
from shoal_worker.exports.clock import iso, start_of, time_of
from shoal_worker.exports.contact_sheet import CAPTION, CELL, best_views, write_contact_sheet
from shoal_worker.exports.content import ExportContent, Row
from shoal_worker.video import VideoReader
from tiny_models import write_model
from tiny_videos import picture, write_video
from typer.testing import CliRunner

NAME = "D1423_20220221T164250Z_h265"
FRAMES = 30


def _dive(number: int) -> Any:
    """A red square all the time; a green one in frames 5 to 14."""
    squares = [(44, 28, 0)]
    return picture([*squares, (116, 68, 1)] if 5 <= number <= 14 else squares)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video, and its archive with two tracks."""
    made = tmp_path_factory.mktemp("exports")
    video = write_video(made / f"{NAME}.mp4", FRAMES, _dive)
    track_video(
        video, write_model(made / "squares.onnx", "yolov8"), made, options="--online --conf-thres=0.9"
    )
    return made


@pytest.fixture(scope="module")
def archive(folder: Path) -> Path:
    return folder / f"{NAME}.tracks.tar.gz"


@pytest.fixture
def content(archive: Path) -> ExportContent:
    return read_content(archive)


def test_the_content_is_the_archives(content: ExportContent) -> None:
    assert (content.stem, content.width, content.height, content.rate, content.frames) == (
        NAME, 160, 96, Fraction(30), FRAMES,
    )  # fmt: skip
    assert content.labels == ("red", "green", "blue")
    assert sorted(content.voted.values()) == ["green", "red"]
    assert sum(row.label == "red" for row in content.rows) == FRAMES
    red = next(row for row in content.rows if row.label == "red" and row.frame == 10)
    assert (red.left, red.top, red.width) == pytest.approx((28, 12, 32), abs=2)
    assert content.start == datetime(2022, 2, 21, 16, 42, 50, tzinfo=UTC)


def test_coco_is_read_by_pycocotools(archive: Path, tmp_path: Path, content: ExportContent) -> None:
    # When
    coco = COCO(str(export_archive(archive, "coco", tmp_path)))
    # Then
    assert len(coco.getImgIds()) == FRAMES
    assert [one["name"] for one in coco.loadCats(coco.getCatIds())] == ["red", "green", "blue"]
    (image,) = coco.loadImgs([10])
    assert (image["frame_index"], image["video_id"]) == (9, 1)
    assert image["date_captured"] == "2022-02-21T16:42:50.300000Z"
    found = coco.loadAnns(coco.getAnnIds(imgIds=[10]))
    assert {coco.cats[one["category_id"]]["name"] for one in found} == {"red", "green"}
    assert len(coco.getAnnIds()) == len(content.rows)
    assert {one["track_id"] for one in coco.dataset["annotations"]} == {
        one["id"] for one in coco.dataset["tracks"]
    }
    assert coco.loadRes(coco.dataset["annotations"]).getImgIds() == coco.getImgIds()


def test_motchallenge_is_read_by_trackeval(archive: Path, tmp_path: Path) -> None:
    # Given the zip unpacked as a sequence, and as a tracker's result
    with zipfile.ZipFile(export_archive(archive, "mot", tmp_path)) as packed:
        packed.extractall(tmp_path / "gt" / "MOT17-train" / NAME)
    sequence = tmp_path / "gt" / "MOT17-train" / NAME
    data = tmp_path / "trackers" / "MOT17-train" / "shoal" / "data"
    data.mkdir(parents=True)
    shutil.copy(sequence / "det" / f"{NAME}.txt", data)
    settings = {
        "GT_FOLDER": str(tmp_path / "gt"), "TRACKERS_FOLDER": str(tmp_path / "trackers"),
        "SEQ_INFO": {NAME: None}, "SPLIT_TO_EVAL": "train", "DO_PREPROC": False, "PRINT_CONFIG": False,
    }  # fmt: skip
    # When
    dataset = trackeval.datasets.MotChallenge2DBox(settings)
    raw = dataset.get_raw_seq_data("shoal", NAME)
    # Then trackeval reads both with the same boxes
    info = configparser.ConfigParser()
    info.read(sequence / "seqinfo.ini")
    assert info["Sequence"]["seqLength"] == str(FRAMES) == str(raw["num_timesteps"])
    assert (sequence / "gt" / "labels.txt").read_text().split() == ["red", "green", "blue"]
    for truth, found in zip(raw["gt_dets"], raw["tracker_dets"], strict=True):
        assert np.array_equal(truth, found)
    first = (sequence / "gt" / "gt.txt").read_text().splitlines()[0].split(",")
    assert (first[0], first[1], first[6:]) == ("1", "1", ["1", "1", "1.0"])


BOX = {"frame", "keyframe", "outside", "occluded", "xtl", "ytl", "xbr", "ybr", "z_order"}
TASK = ["name", "size", "mode", "overlap", "start_frame", "stop_frame", "labels", "original_size"]


def check_cvat(root: ElementTree.Element) -> None:
    """ "CVAT for video 1.1": the elements in their order, and values that CVAT's importer accepts."""
    task = root.find("meta/task")
    assert (root.tag, [child.tag for child in root][:2], root.findtext("version")) == (
        "annotations", ["version", "meta"], "1.1",
    )  # fmt: skip
    assert task is not None
    assert [child.tag for child in task] == TASK
    assert {child.tag for child in root[2:]} <= {"track"}
    labels = {one.findtext("name") for one in task.findall("labels/label")}
    width, height = (int(task.findtext(f"original_size/{side}", "")) for side in ("width", "height"))
    assert [int(track.attrib["id"]) for track in root.findall("track")] == list(range(len(root) - 2))
    for track in root.findall("track"):
        assert set(track.attrib) == {"id", "label", "source"}
        assert track.attrib["label"] in labels
        check_boxes(track, int(task.findtext("size", "")), width, height)


def check_boxes(track: ElementTree.Element, frames: int, width: int, height: int) -> None:
    boxes = [box.attrib for box in track]
    assert {child.tag for child in track} == {"box"}
    assert all(set(box) == BOX for box in boxes)
    assert all(box[flag] in {"0", "1"} for box in boxes for flag in ("keyframe", "outside", "occluded"))
    numbers = [int(box["frame"]) for box in boxes]
    assert numbers == sorted(set(numbers))
    assert 0 <= numbers[0] <= numbers[-1] < frames
    assert all(0 <= float(box["xtl"]) < float(box["xbr"]) <= width for box in boxes)
    assert all(0 <= float(box["ytl"]) < float(box["ybr"]) <= height for box in boxes)


def test_cvat_xml_has_the_documented_form(archive: Path, tmp_path: Path, content: ExportContent) -> None:
    # When
    root = ElementTree.parse(export_archive(archive, "cvat", tmp_path)).getroot()
    # Then
    check_cvat(root)
    assert root.findtext("meta/task/size") == str(FRAMES)
    assert root.findtext("meta/task/mode") == "interpolation"
    assert [one.text for one in root.findall("meta/task/labels/label/name")] == ["red", "green", "blue"]
    tracks = {one.attrib["label"]: one.findall("box") for one in root.findall("track")}
    # the red one lives to the last frame; the green one is switched off behind its last
    assert [int(box.attrib["frame"]) for box in tracks["red"]] == list(range(FRAMES))
    assert tracks["red"][-1].attrib["outside"] == "0"
    green = [row.frame for row in content.rows if row.label == "green"]
    assert (int(tracks["green"][-1].attrib["frame"]), tracks["green"][-1].attrib["outside"]) == (
        green[-1], "1",
    )  # fmt: skip


def test_parquet_is_read_by_pyarrow(archive: Path, tmp_path: Path, content: ExportContent) -> None:
    table = parquet.read_table(export_archive(archive, "parquet", tmp_path))
    rows = table.to_pylist()
    assert len(rows) == len(content.rows)
    assert (rows[0]["frame"], rows[0]["seconds"], rows[0]["label"]) == (1, 0.0, "red")
    assert rows[0]["utc"] == datetime(2022, 2, 21, 16, 42, 50, tzinfo=UTC)
    assert (table.schema.metadata[b"video_rate"], table.schema.metadata[b"total_frames"]) == (b"30", b"30")


def test_without_pyarrow_it_says_what_to_install(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(ExportError, match="pip install"):
        export_archive(archive, "parquet", tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", FORMATS)
def test_the_same_archive_gives_the_same_bytes(kind: str, archive: Path, tmp_path: Path) -> None:
    one, other = (export_archive(archive, kind, tmp_path / name) for name in ("a", "b"))
    assert one.read_bytes() == other.read_bytes()


@pytest.mark.parametrize("kind", FORMATS)
def test_an_empty_result_is_exported_too(kind: str, folder: Path, tmp_path: Path) -> None:
    video = shutil.copy(folder / f"{NAME}.mp4", tmp_path / "dark.mp4")
    result = track_video(Path(video), folder / "squares.onnx", tmp_path, options="--classes 2")
    written = export_archive(result.archive, kind, tmp_path)
    assert written.stat().st_size > 0
    if kind == "coco":
        assert len(json.loads(written.read_text())["images"]) == FRAMES


def test_names_that_xml_does_not_allow_are_replaced(content: ExportContent, tmp_path: Path) -> None:
    row = Row(1, 1, "a<b>\x00&\ud800", 0.5, 0, 0, 9, 9, False)
    odd = ExportContent('x"\x01.mp4', 10, 10, Fraction(30), 1, (row.label,), (row,), {1: row.label}, None)
    FORMATS["cvat"][1](odd, tmp_path / "odd.xml")
    root = ElementTree.parse(tmp_path / "odd.xml").getroot()
    assert root.find("track").attrib["label"] == "a<b>?&?"  # type: ignore[union-attr]
    assert root.findtext("meta/source") == 'x"?.mp4'


def test_the_contact_sheet_shows_every_track(folder: Path, content: ExportContent, tmp_path: Path) -> None:
    # When
    with VideoReader(folder / f"{NAME}.mp4") as video:
        count = write_contact_sheet(content, video, tmp_path / "sheet.png")
    # Then: two cells, the first mostly red in its middle, the second green
    sheet = cv2.imread(str(tmp_path / "sheet.png"))
    assert (count, sheet.shape) == (2, (CELL[1] + CAPTION, 2 * CELL[0], 3))
    middles = [sheet[CELL[1] // 2, CELL[0] // 2 + cell * CELL[0]].tolist() for cell in (0, 1)]
    colours = [["blue", "green", "red"][int(np.argmax(middle))] for middle in middles]
    assert colours == [content.voted[1], content.voted[2]]


def test_a_sheet_of_nothing_is_one_dark_cell(content: ExportContent, tmp_path: Path) -> None:
    empty = ExportContent("x.mp4", 10, 10, Fraction(30), 0, (), (), {}, None)
    assert best_views(empty) == []
    assert write_contact_sheet(empty, None, tmp_path / "sheet.png") == 0  # type: ignore[arg-type]
    assert cv2.imread(str(tmp_path / "sheet.png")).max() == 0


@pytest.mark.parametrize(
    ("name", "start"),
    [
        ("D1423_20220221T164250Z_h265.mp4", "2022-02-21T16:42:50.000000Z"),
        ("V4361_20211006T162656Z_h265_1sec.mp4", "2021-10-06T16:26:56.000000Z"),
        ("i2MAP_20200221T120000.250Z.mov", "2020-02-21T12:00:00.250000Z"),
        ("D1_20220631T000000Z.mp4", None),
        ("D1_20220221T164250.mp4", None),
        ("dive.mp4", None),
    ],
)
def test_a_name_tells_the_time(name: str, start: str | None) -> None:
    found = start_of(name)
    assert (None if found is None else iso(found)) == start


def test_the_time_of_a_frame_does_not_drift() -> None:
    start = datetime(2022, 1, 1, tzinfo=UTC)
    hour = 1 + 60 * 60 * 60
    assert iso(time_of(start, hour, Fraction(60000, 1001))) == "2022-01-01T01:00:03.600000Z"


def test_what_is_no_archive_is_told(tmp_path: Path, archive: Path) -> None:
    (tmp_path / "x.tracks.tar.gz").write_bytes(b"nothing")
    with pytest.raises(ArchiveError, match="download it again"):
        export_archive(tmp_path / "x.tracks.tar.gz", "coco", tmp_path)
    with pytest.raises(ExportError, match="use one of mot, coco, cvat, parquet"):
        export_archive(archive, "yolo", tmp_path)


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (["--format", "coco"], f"{NAME}.coco.json"),
        (["--format", "sheet", "--video", "{folder}"], f"{NAME}.sheet.png"),
    ],
)
def test_the_command_writes_the_file(
    words: list[str], name: str, folder: Path, archive: Path, tmp_path: Path
) -> None:
    given = [word.format(folder=folder) for word in words]
    result = CliRunner().invoke(app, ["export", str(archive), "--output", str(tmp_path), *given])
    assert (result.exit_code, result.exception) == (0, None)
    assert (tmp_path / name).stat().st_size > 0
    broken = CliRunner().invoke(app, ["export", str(folder / "squares.onnx"), "--format", "sheet"])
    assert isinstance(broken.exception, ExportFailed)
