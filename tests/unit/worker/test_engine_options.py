"""The seeds' ``--args`` string and the tracker's YAML: what is understood, reported and refused."""

from __future__ import annotations

import pytest
from shoal_worker.config import parse_track_config, read_track_config
from shoal_worker.errors import OptionsError, TrackConfigError
from shoal_worker.options import TrackOptions, parse_options
from shoal_worker.tracker import TrackerParameters


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, {}),
        ("", {}),
        (
            "--conf-thres=0.01 --iou-thres=0.4 --max-det=100 --agnostic-nms --imgsz 640",
            {
                "confidence": 0.01,
                "iou": 0.4,
                "maximum_detections": 100,
                "agnostic_nms": True,
                "image_size": (640, 640),
            },
        ),
        ("--conf-thres 0.2 --imgsz 384 640", {"confidence": 0.2, "image_size": (384, 640)}),
        ("--classes 0 2 49 --save-vid", {"classes": (0, 2, 49), "save_video": True}),
        ("--conf_thres 0.2 --device 1", {"confidence": 0.2, "device": "cuda:1"}),
        ("--device cpu", {"device": "cpu"}),
    ],
)
def test_the_flags_of_the_seeds_are_understood(text, expected):
    options = parse_options(text)
    assert {key: getattr(options, key) for key in expected} == expected
    assert options.notes == ()
    untouched = set(TrackOptions.__slots__) - set(expected) - {"text"}
    assert all(getattr(options, key) == getattr(TrackOptions(), key) for key in untouched)


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("--save-conf", "always written"),
        ("--frobnicate 3 4 --conf-thres 0.3", "--frobnicate 3 4 is not known"),
        ("stray --conf-thres 0.3", "stray is not known"),
        ("; rm -rf / #", "is not known"),
    ],
)
def test_what_is_not_known_is_reported_and_the_rest_counts(text, note):
    options = parse_options(text)
    assert note in options.notes[0]
    assert options.confidence == (0.3 if "0.3" in text else None)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("--conf-thres 7", "a number from 0 to 1"),
        ("--conf-thres nan", "a number from 0 to 1"),
        ("--conf-thres", "takes one value"),
        ("--conf-thres 0.1 0.2", "takes one value"),
        ("--conf-thres high", "a number from 0 to 1"),
        ("--max-det 0", "1 to 10000"),
        ("--imgsz 7", "32 to 4096"),
        ("--imgsz", "32 to 4096"),
        ("--classes", "class indices"),
        ("--classes -1", "class indices"),
        ("--agnostic-nms yes", "takes no value"),
        ("--imgsz '640", "close the quotes"),
        ("--classes 1 " * 1000, "at most 2000"),
    ],
)
def test_a_value_that_cannot_be_used_is_refused(text, says):
    with pytest.raises(OptionsError, match=says):
        parse_options(text)


STRONGSORT = """
STRONGSORT:
  ECC: True
  MC_LAMBDA: 0.995
  EMA_ALPHA: 0.9
  MAX_DIST: 0.2
  MAX_IOU_DISTANCE: 0.7
  MAX_AGE: 30
  N_INIT: 3
  NN_BUDGET: 100
"""


def test_a_strongsort_file_is_mapped_key_by_key():
    # Given the original worker's configuration, When it is read
    config = parse_track_config(STRONGSORT)
    # Then what has a meaning is set, and the appearance keys are reported
    mine = config.parameters
    assert (mine.camera_motion, mine.lost_seconds, mine.minimum_hits, mine.fuse_score) == (
        True,
        1.0,
        3,
        False,
    )
    assert mine.match_similarity == pytest.approx(0.3)
    assert sorted(note.split()[0] for note in config.notes) == [
        "EMA_ALPHA",
        "MAX_DIST",
        "MC_LAMBDA",
        "NN_BUDGET",
    ]
    # And the detector's confidence is the only gate, as it was there
    resolved = config.resolved(0.01)
    assert (resolved.track_low, resolved.track_high, resolved.new_track) == (0.01, 0.01, 0.01)


BYTETRACK = """
tracker_type: bytetrack
track_high_thresh: 0.01
track_low_thresh: 0.005
new_track_thresh: 0.001
track_buffer: 300
match_thresh: 0.8
fuse_score: False
"""


@pytest.mark.parametrize(
    "text",
    [
        BYTETRACK,
        "bytetrack: {track_high: 0.01, track_low: 0.005, new_track: 0.001,"
        " track_buffer: 300, match: 0.8, fuse_score: false}",
    ],
)
def test_a_bytetrack_file_in_both_spellings(text):
    config = parse_track_config(text)
    mine = config.parameters
    assert (mine.track_high, mine.track_low, mine.new_track, mine.lost_seconds) == (0.01, 0.005, 0.001, 10.0)
    assert (mine.fuse_score, config.notes) == (False, ())
    assert mine.match_similarity == pytest.approx(0.2)
    assert config.resolved(0.5) == mine


def test_a_botsort_file_and_its_appearance_keys():
    config = parse_track_config(
        "tracker_type: botsort\ngmc_method: sparseOptFlow\nproximity_thresh: 0.5\nodd: 1\n"
    )
    assert config.parameters.camera_motion is True
    assert [note.split()[0] for note in config.notes] == ["proximity_thresh", "odd"]
    assert parse_track_config("tracker_type: botsort\ngmc_method: none\n").parameters.camera_motion is False


def test_no_file_means_the_defaults_and_the_confidence_moves_the_gates():
    config = parse_track_config("")
    assert config.resolved(None) == TrackerParameters()
    low, high = config.resolved(0.01), config.resolved(0.6)
    assert (low.track_low, low.track_high, low.new_track) == (0.01, 0.25, 0.25)
    assert (high.track_low, high.track_high, high.new_track) == (0.1, 0.6, 0.6)


_DEEP = "a: " + "[" * 20 + "]" * 20


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: &x [1]\nb: *x", "alias"),
        (_DEEP, "deeper than 8"),
        ("a: " + "x" * 70_000, "at most 65536"),
        ("- 1\n- 2", "not a mapping"),
        ("a: [", "not YAML"),
        ("a: !!python/object/apply:os.system ['true']", "not YAML"),
        ("STRONGSORT: {N_INIT: 3}\nBYTETRACK: {match_thresh: 0.8}", "keep one tracker"),
        ("tracker_type: magic", "'magic' is not known"),
        ("tracker_type: bytetrack\nmatch_thresh: 8", "a number from 0 to 1"),
        ("tracker_type: bytetrack\nmatch_thresh: .nan", "a number from 0 to 1"),
        ("STRONGSORT: {MAX_AGE: many}", "MAX_AGE is 'many'"),
        ("STRONGSORT: {ECC: 3}", "use true or false"),
    ],
)
def test_a_yaml_that_cannot_be_used_is_refused(text, says):
    with pytest.raises(TrackConfigError, match=says):
        parse_track_config(text)


def test_a_missing_or_binary_file_is_refused(tmp_path):
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    for name, says in (("absent.yaml", "cannot be read"), ("binary.yaml", "UTF-8")):
        with pytest.raises(TrackConfigError, match=says):
            read_track_config(tmp_path / name)
