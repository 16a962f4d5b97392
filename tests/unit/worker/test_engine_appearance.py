"""Appearance: off it costs nothing, on it tells apart what moves alike, and nobody's numbers are believed."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from shoal_cli.main import app
from shoal_worker import Detector, TrackConfig, parse_track_config, read_archive, retrack, track_video
from shoal_worker.appearance import AppearanceTracker, tracker_for, unit
from shoal_worker.detectionlog import MAXIMUM_DIMENSIONS, read_detections
from shoal_worker.embedding import EmbedderDescription, embedded
from shoal_worker.errors import ModelError, ReproductionError, TrackConfigError
from shoal_worker.frames import Detections
from shoal_worker.onnxembedder import OnnxEmbedder, crops, embedder_for
from shoal_worker.options import TrackOptions
from shoal_worker.prepare import Prepared
from shoal_worker.reproduction import reproduce
from shoal_worker.service.inference import load_shared_model
from shoal_worker.service.settings import read_settings
from shoal_worker.tracker import Tracker, TrackerParameters
from tiny_models import write_embedder, write_model
from tiny_videos import picture, write_video
from typer.testing import CliRunner

OPTIONS = "--conf-thres 0.6 --iou-thres 0.2 --online"
TURN = 12
"""The frame in which the two objects of the scene meet, and turn back."""
ON = TrackerParameters(appearance=True)


def _apart(frame: int) -> int:
    """How far each object is from where they meet; their boxes and speeds are the same, mirrored."""
    return 4 * abs(TURN - frame)


def _seen(frame: int, looks: np.ndarray | None) -> Detections:
    """Two objects that come together, meet and turn back, as if they had gone through each other."""
    centres = np.array([[200 - _apart(frame), 100], [200 + _apart(frame), 100]], np.float32)
    boxes = np.concatenate([centres - 20, centres + 20], axis=1)
    return Detections(boxes, np.full(2, 0.9, np.float32), np.zeros(2, np.int64), looks)


def _ids(parameters: TrackerParameters, looks: np.ndarray | None) -> list[list[int]]:
    tracker = tracker_for(parameters, 30)
    return [tracker.update(_seen(frame, looks)).ids.tolist() for frame in range(1, 2 * TURN)]


DISTINCT = np.float16([[1, 0, 0], [0, 1, 0]])


@pytest.mark.parametrize(
    ("parameters", "looks", "last"),
    [
        (ON, DISTINCT, [1, 2]),
        (TrackerParameters(), DISTINCT, [2, 1]),
        (ON, None, [2, 1]),
        (ON, np.float16([[1, 0, 0], [1, 0, 0]]), [2, 1]),
        (ON, np.float16([[0, 0, 0], [0, 0, 0]]), [2, 1]),
        (TrackerParameters(appearance=True, appearance_overlap=0.99), DISTINCT, [2, 1]),
    ],
    ids=["on", "off", "nothing known", "both look the same", "not looked at", "the gate is shut"],
)
def test_only_their_looks_tell_two_apart_that_turn_back_where_they_meet(parameters, looks, last):
    # Given two objects whose motion says that they went through each other
    ids = _ids(parameters, looks)
    # When they have met, Then they keep their ids only if what they look like is known, distinct and let in
    assert ids[1] == ids[TURN - 2] == [1, 2]
    assert ids[-1] == last


def test_a_look_below_the_gate_does_not_count():
    # Given an object that looks different from frame to frame, at a right angle to itself
    tracker = tracker_for(ON, 30)
    one = _seen(1, DISTINCT)
    tracker.update(one)
    # When it is seen again where it was, Then its place alone decides, and it keeps its id
    assert tracker.update(_seen(1, DISTINCT[::-1])).ids.tolist() == [1, 2]


def test_a_track_remembers_an_average_and_what_was_not_looked_at_changes_nothing():
    # Given a track that looked one way, when it looks another way, and then is not looked at
    tracker = AppearanceTracker(TrackerParameters(appearance=True, appearance_memory=0.75), 30)
    box = np.float32([[0, 0, 40, 40]])
    for looks in ([0, 0], [1, 0], [0, 1], [0, 0]):
        tracker.update(Detections(box, np.float32([0.9]), np.zeros(1, np.int64), np.float16([looks])))
    # Then its memory is the weighted mean of the two, of length one
    assert tracker._looks.tolist() == [pytest.approx(unit(np.float32([[0.75, 0.25]]))[0], abs=1e-3)]


def test_a_track_that_goes_takes_its_look_with_it():
    # Given one object that goes and one that stays
    tracker = AppearanceTracker(TrackerParameters(appearance=True, lost_seconds=0.1), 30)
    both = _seen(1, DISTINCT)
    for _ in range(3):
        tracker.update(both)
    # When the first is forgotten, Then the second one's look is still its own
    for _ in range(6):
        tracker.update(both.keep(np.array([1])))
    assert tracker._looks.tolist() == [[0, 1, 0]]


def test_without_appearance_the_tracker_is_the_one_that_does_nothing_about_it():
    assert type(tracker_for(TrackerParameters(), 30)) is Tracker


def _scene(number: int) -> np.ndarray:
    """A red square and a green one that meet behind something and turn back."""
    return picture(
        [] if abs(TURN - number) <= 2 else [(80 - _apart(number), 48, 0), (80 + _apart(number), 48, 1)]
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """The scene as a video, a detector and an appearance model."""
    folder = tmp_path_factory.mktemp("appearance")
    write_video(folder / "dive.mp4", 2 * TURN - 1, _scene)
    write_model(folder / "squares.onnx", "yolov8")
    write_embedder(folder / "colours.onnx")
    return folder


@pytest.fixture(scope="module")
def archive(folder) -> Path:
    """Of the scene, with appearance."""
    return _tracked(folder, folder / "on", folder / "colours.onnx")


def _tracked(folder: Path, output: Path, appearance: Path | None, more: str = "") -> Path:
    return track_video(
        folder / "dive.mp4", folder / "squares.onnx", output, config=_config(more), options=OPTIONS,
        appearance=appearance,
    ).archive  # fmt: skip


def _config(more: str = "") -> TrackConfig:
    """Objects that were out of sight come back far from where they were expected."""
    return parse_track_config(f"appearance_overlap: 0.05\n{more}")


def _of_each_colour(archive: Path) -> set[frozenset[int]]:
    """The ids that the boxes of each colour have in the last frames."""
    rows = [row for row in read_archive(archive).detections if row["frame"] in (3, 2 * TURN - 2)]
    labels = {row["label"] for row in rows}
    return {frozenset(row["tracker_id"] for row in rows if row["label"] == label) for label in labels}


_IDLE = "counts only with an appearance model"
ONE_EACH, EXCHANGED = {frozenset({1}), frozenset({2})}, {frozenset({1, 2})}


def test_a_video_is_tracked_with_an_onnx_embedder(folder, archive):
    # Given the scene, tracked with and without an appearance model
    without = _tracked(folder, folder / "off", None)
    # Then each keeps its id only with it
    assert (_of_each_colour(archive), _of_each_colour(without)) == (ONE_EACH, EXCHANGED)
    # And what they look like is kept, and said, only there
    about = read_archive(archive).metadata["shoal"]["appearance"]
    assert (about["name"], about["dimensions"], about["size"]) == ("colours.onnx", 3, [16, 12])
    looks = read_detections(archive).packed().found.features
    assert np.linalg.norm(looks.astype(np.float32), axis=1) == pytest.approx(1, abs=1e-2)
    assert "appearance" not in read_archive(without).metadata["shoal"]
    assert not read_detections(without).looked


@pytest.mark.parametrize(
    ("config", "appearance", "expected"),
    [
        ("", None, ONE_EACH),
        ("", False, EXCHANGED),
        ("appearance: false", None, EXCHANGED),
        ("appearance: false", True, ONE_EACH),
        ("tracker_type: botsort\nwith_reid: true\ntrack_low_thresh: 0.6", None, ONE_EACH),
    ],
)
def test_what_was_kept_is_used_again_or_not(archive, tmp_path, config, appearance, expected):
    # Given stored detections that know what they look like, When they are associated again
    result = retrack(archive, tmp_path, config=_config(config), options="--online", appearance=appearance)
    # Then it counts unless it is not wanted, and a key without meaning is named only then
    assert _of_each_colour(result.archive) == expected
    assert (not any(_IDLE in note for note in result.notes)) == (expected is ONE_EACH)


def test_the_same_tracker_gives_the_same_tracks_again(archive, tmp_path):
    again = retrack(archive, tmp_path, config=_config(), options=OPTIONS).archive
    assert read_archive(again).detections == read_archive(archive).detections
    assert read_detections(again).dump() == read_detections(archive).dump()


def test_what_was_not_kept_is_said(folder, archive, tmp_path):
    # Given an archive without appearance, and one that looked only at clear detections
    without = _tracked(folder, tmp_path / "off", None)
    # When a tracker asks for more than was kept, Then the notes say so
    wanted = retrack(without, tmp_path / "1", config=parse_track_config("appearance: true")).notes
    assert any("what the objects look like was not kept" in note for note in wanted)
    lower = parse_track_config("tracker_type: bytetrack\ntrack_high_thresh: 0.2\ntrack_low_thresh: 0.6")
    assert any("were not looked at" in note for note in retrack(archive, tmp_path / "2", config=lower).notes)


def test_a_result_with_appearance_is_made_again_with_the_same_model_only(folder, archive, tmp_path):
    # Given a result whose tracker's file does not name the appearance model, When it is made again
    given = (archive, folder / "dive.mp4", folder / "squares.onnx", tmp_path / "out")
    again = reproduce(*given, appearance=folder / "colours.onnx")
    # Then it is the same to the byte, and without that model it is refused
    assert (again.same_tracks, again.differing, again.notes) == (True, (), ())
    other = write_embedder(tmp_path / "other.onnx", widen=2)
    for appearance in (None, other):
        with pytest.raises(ReproductionError, match="made with the appearance model whose sha256"):
            reproduce(*given, appearance=appearance)


def test_a_worker_finds_the_model_that_the_yaml_names(folder, tmp_path):
    # Given a deployment whose tracker's file names a model in S3
    (tmp_path / "tracker.yaml").write_text("appearance: s3://models/colours.onnx\n")
    settings = read_settings({"SHOAL_DEPLOYMENT": "reef", "SHOAL_MODEL": "m", "SHOAL_SERVES": "endpoint"})
    asked = []

    def find(location: str) -> Path:
        asked.append(location)
        return folder / "colours.onnx"

    # When its model is loaded, Then the appearance model is fetched as that is, and the status names it
    shared = load_shared_model(folder / "squares.onnx", tmp_path / "tracker.yaml", settings, find)
    assert asked == ["s3://models/colours.onnx"]
    assert shared.describe()["appearance"] == "colours.onnx"
    assert shared.predict_video(folder / "dive.mp4")["frames"] == 2 * TURN - 1


def test_the_command_line_takes_the_model(folder, tmp_path):
    # Given the scene, When it is tracked and retracked from the command line, with and without appearance
    def run(*words: object) -> None:
        result = CliRunner().invoke(app, [str(word) for word in words])
        assert result.exit_code == 0, result.output

    (tmp_path / "tracker.yaml").write_text("appearance_overlap: 0.05\n")
    common = ("--track-config", tmp_path / "tracker.yaml", "--args", OPTIONS)
    run("track", folder / "dive.mp4", "--model", folder / "squares.onnx", "--appearance",
        folder / "colours.onnx", "--no-draw", "--output", tmp_path / "on", *common)  # fmt: skip
    archive = tmp_path / "on" / "dive.tracks.tar.gz"
    run("retrack", archive, "--no-appearance", "--output", tmp_path / "off", *common)
    # Then the flags do what they say
    assert _of_each_colour(archive) == ONE_EACH
    assert _of_each_colour(tmp_path / "off" / archive.name) == EXCHANGED


def test_the_yaml_may_name_the_model(folder, tmp_path):
    named = f"appearance: {folder / 'colours.onnx'}"
    assert _of_each_colour(_tracked(folder, tmp_path, None, named)) == ONE_EACH


def test_the_offline_pass_looks_in_both_directions(archive, tmp_path):
    again = retrack(archive, tmp_path, config=_config())
    assert _of_each_colour(again.archive) == ONE_EACH


class _Embedder:
    """Answers whatever a test gives it."""

    def __init__(self, answer: np.ndarray, dimensions: int = 3) -> None:
        self.answer = answer
        self.description = EmbedderDescription("garbage", "", dimensions, (8, 8), "none", "float32")

    def embed(self, image: np.ndarray, boxes: np.ndarray) -> np.ndarray:
        return self.answer


@pytest.mark.parametrize(
    ("answer", "dimensions", "says"),
    [
        (np.full((2, 3), np.nan, np.float32), 3, "numbers that are none"),
        (np.full((2, 3), np.inf, np.float32), 3, "numbers that are none"),
        (np.float32([[1, 0], [0, 1]]), 3, r"answered \(2, 2\) for 2 objects, not \(2, 3\)"),
        (np.float32([[1, 0, 0]]), 3, r"answered \(1, 3\) for 2 objects"),
        (np.float32([[2, 0, 0], [0, 1, 0]]), 3, "not of length one"),
        (np.zeros((2, 9999), np.float32), 9999, f"use 1 to {MAXIMUM_DIMENSIONS}"),
    ],
)
def test_an_embedder_that_answers_garbage_is_told_so(answer, dimensions, says):
    frame = Prepared(np.zeros((8, 8, 3), np.uint8), None, np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(ModelError, match=says):
        list(embedded([(frame, _seen(1, None))], _Embedder(answer, dimensions), (8, 8), 0.1))


def test_only_clear_detections_are_looked_at():
    # Given a clear and a faint detection
    found = Detections(_seen(1, None).boxes, np.float32([0.2, 0.9]), np.zeros(2, np.int64))
    frame = Prepared(np.zeros((8, 8, 3), np.uint8), None, np.zeros((8, 8, 3), np.uint8))
    embedder = _Embedder(np.float32([[0, 0, 1]]))
    # When those from a half up are looked at, Then the other is zeros, and the frame goes no further
    ((after, looked),) = embedded([(frame, found)], embedder, (8, 8), 0.5)
    assert looked.features.tolist() == [[0, 0, 0], [0, 0, 1]]
    assert after.whole is None


def test_crops_are_opencv_s_own_resize():
    # Given a picture with texture, and boxes of all kinds: whole pixels, beyond the border, smaller than one
    random = np.random.default_rng(2)
    image = cv2.GaussianBlur(random.integers(0, 255, (90, 120, 3)).astype(np.uint8), (0, 0), 1)
    boxes = [[10, 5, 50, 80], [-9, -9, 999, 999], [-20, -9, 30, 40], [100, 70, 500, 95], [7, 7, 7, 7]]
    # When all are cut at once, Then each is what resize makes of the clipped crop, up to its rounding
    found = crops(image, np.float32(boxes), (24, 16))
    assert found.shape == (5, 24, 16, 3)
    clipped = [(10, 5, 50, 80), (0, 0, 120, 90), (0, 0, 30, 40), (100, 70, 120, 90), (7, 7, 8, 8)]
    for crop, (left, top, right, bottom) in zip(found, clipped, strict=True):
        usual = cv2.resize(image[top:bottom, left:right], (16, 24), interpolation=cv2.INTER_LINEAR)
        assert np.abs(crop.astype(int) - usual).max() <= 4


@pytest.mark.parametrize("kind", ["float", "half", "uint8"])
@pytest.mark.parametrize("batch", ["batch", 4])
def test_any_number_of_boxes_is_answered_whatever_the_network_takes_at_once(tmp_path, batch, kind):
    # Given a picture of columns of different colours, and 23 boxes on them
    columns = np.random.default_rng(3).integers(50, 255, (1, 23, 3)).astype(np.uint8)
    image = np.repeat(np.repeat(columns, 8, axis=1), 20, axis=0)
    boxes = np.float32([[8 * index, 0, 8 * index + 8, 20] for index in range(23)])
    embedder = OnnxEmbedder(write_embedder(tmp_path / "e.onnx", batch=batch, kind=kind))
    # When they are looked at, Then each answer is its own column's colour
    expected = unit(columns[0].astype(np.float32))
    assert np.abs(embedder.embed(image, boxes) - expected).max() < 2e-3
    assert embedder.embed(image, boxes[:0]).shape == (0, 3)


def test_pixels_are_normalised_as_the_metadata_says(tmp_path):
    # Given a crop of one colour, When a network without the metadata sees it, Then by ImageNet's statistics
    embedder = OnnxEmbedder(write_embedder(tmp_path / "e.onnx", metadata={}))
    image = np.full((20, 20, 3), (200, 100, 50), np.uint8)
    expected = (np.array([200, 100, 50]) / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    found = embedder.embed(image, np.float32([[0, 0, 20, 20]]))
    assert found[0] == pytest.approx(expected / np.linalg.norm(expected), abs=1e-4)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"size": ("height", "width")}, "fix its height and width"),
        ({"size": (600, 8)}, "at most 512"),
        ({"batch": 64}, "at most 32 crops"),
        ({"widen": 700}, f"1 to {MAXIMUM_DIMENSIONS} numbers"),
        ({"metadata": {"shoal.normalise": "guess"}}, "imagenet, unit, none"),
    ],
)
def test_a_network_that_cannot_be_an_embedder_is_refused(tmp_path, given, says):
    with pytest.raises(ModelError, match=says):
        OnnxEmbedder(write_embedder(tmp_path / "e.onnx", **given))


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("osnet.pt", b"pickle", "export it with torch.onnx.export"),
        ("absent.onnx", None, "no model at"),
        ("empty.onnx", b"", "an empty file"),
        ("noise.onnx", b"noise" * 9, "no ONNX model"),
    ],
)
def test_a_file_that_is_no_embedder_is_refused_before_anything_opens_it(tmp_path, name, content, says):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ModelError, match=says):
        OnnxEmbedder(tmp_path / name)


def test_a_detector_is_no_embedder(tmp_path):
    with pytest.raises(ModelError, match="numbers for each"):
        OnnxEmbedder(write_model(tmp_path / "m.onnx", "yolov8"))


def test_only_a_worker_fetches_the_model_from_s3():
    config = parse_track_config("appearance: s3://models/osnet.onnx")
    with pytest.raises(TrackConfigError, match="download it"):
        embedder_for(config, None, TrackOptions())


@pytest.mark.parametrize(
    ("text", "wanted", "model", "gates", "idle"),
    [
        ("", None, "", (0.75, 0.5, 0.9), []),
        ("appearance: a.onnx", True, "a.onnx", (0.75, 0.5, 0.9), []),
        ("appearance: false", False, "", (0.75, 0.5, 0.9), []),
        ("STRONGSORT: {MODEL: s3://b/a.onnx, MAX_DIST: 0.3, EMA_ALPHA: 0.8}", True, "s3://b/a.onnx",
         (0.7, 0.5, 0.8), []),
        ("STRONGSORT: {MAX_DIST: 0.3}", None, "", (0.7, 0.5, 0.9), ["MAX_DIST"]),
        ("tracker_type: botsort\nwith_reid: true\nmodel: a.onnx\nappearance_thresh: 0.25\n"
         "proximity_thresh: 0.6",
         True, "a.onnx", (0.5, 0.6, 0.9), []),
        ("tracker_type: botsort\nwith_reid: false\nmodel: a.onnx\nappearance_thresh: 0.8", False, "",
         (0.6, 0.5, 0.9), ["model", "appearance_thresh"]),
        ("tracker_type: botsort\nwith_reid: true\nmodel: auto", True, "", (0.75, 0.5, 0.9),
         ["with_reid", "model"]),
    ],
)  # fmt: skip
def test_the_keys_of_the_seeds_are_mapped_one_by_one(text, wanted, model, gates, idle):
    # Given a tracker's file, When it is read
    config = parse_track_config(text)
    mine = config.parameters
    # Then the model and the gates are what it says, and keys that need a model say so while there is none
    assert (config.appearance, config.model) == (wanted, model)
    found = (mine.appearance_similarity, mine.appearance_overlap, mine.appearance_memory)
    assert found == pytest.approx(gates)
    assert mine.appearance is False
    used = config.looking() if model else config
    assert [note.split()[0] for note in used.notes if _IDLE in note] == idle
    assert not [note for note in config.looking().notes if _IDLE in note]


@pytest.mark.parametrize("text", ["appearance: 3", "with_reid: maybe", "appearance: [a]"])
def test_a_switch_that_is_none_is_refused(text):
    with pytest.raises(TrackConfigError, match="use true or false"):
        parse_track_config(text)


def test_an_embedder_is_loaded_once_for_many_videos(folder, tmp_path):
    # Given a detector and an embedder that are loaded already, When a video is tracked with both
    result = track_video(
        folder / "dive.mp4", Detector(folder / "squares.onnx"), tmp_path, options=OPTIONS,
        appearance=OnnxEmbedder(folder / "colours.onnx"), receipt=True,
    )  # fmt: skip
    # Then the archive says that appearance counted
    assert read_archive(result.archive).metadata["shoal"]["tracker"]["appearance"] is True
