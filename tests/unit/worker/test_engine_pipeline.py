"""The whole engine on small videos: tracks where the squares went, an archive that opens, nothing left on
failure."""

from __future__ import annotations

import tarfile
import uuid
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from shoal_worker import Detector, Provenance, parse_track_config, read_archive, track_video
from shoal_worker.archive import write_archive
from shoal_worker.draw import film_size
from shoal_worker.errors import ArchiveError, OptionsError, TrackingStopped, VideoError
from shoal_worker.motion import CameraMotion, Thumbnails
from shoal_worker.spans import plan_spans
from tiny_models import write_model
from tiny_videos import picture, write_video

SHARED = Path(__file__).parents[4] / "shared" / "data"
FRAMES = 24
ARGUMENTS = "--conf-thres 0.6 --iou-thres 0.2"
WHO = Provenance(
    "mbari",
    "shoal-dive-7",
    "registry.example.org/worker:1",
    ("dettrack",),
    "s3://v/a.mp4",
    "2026-11-21T00:00:00Z",
)


def _scene(number: int) -> np.ndarray:
    """A red square that moves right, and a blue one that appears in frame 9."""
    blue = [(124, 68, 2)] if number >= 9 else []
    return picture([(28 + 2 * number, 28, 0), *blue])


@pytest.fixture(scope="module")
def detector(tmp_path_factory) -> Detector:
    return Detector(write_model(tmp_path_factory.mktemp("model") / "squares.onnx", "yolov8"))


@pytest.fixture(scope="module")
def video(tmp_path_factory) -> Path:
    return write_video(tmp_path_factory.mktemp("video") / "dive 1.mp4", FRAMES, _scene)


def test_a_video_becomes_tracks_and_an_archive(tmp_path, detector, video):
    # Given a video with two squares
    said = []
    # When it is tracked
    result = track_video(
        video, detector, tmp_path, options=ARGUMENTS, provenance=WHO, progress=lambda *now: said.append(now)
    )
    # Then both are followed from the first to the last frame in which they are
    assert (result.frames, result.tracks, result.labels) == (FRAMES, 2, {"red": 1, "blue": 1})
    assert result.archive == tmp_path / "dive 1.tracks.tar.gz"
    assert said[-1] == (FRAMES, FRAMES)
    spans = [(track.id, track.label, track.first_frame, track.last_frame) for track in result.summaries]
    assert spans == [(1, "red", 1, FRAMES), (2, "blue", 9, FRAMES)]
    assert result.detections == sum(track.frame_count for track in result.summaries) == FRAMES + FRAMES - 8
    assert result.fps == pytest.approx(result.frames / result.seconds)


def test_the_archive_opens_in_both_layouts(tmp_path, detector, video):
    # Given a tracked video, When its archive is read back
    result = track_video(video, detector, tmp_path, options=ARGUMENTS, provenance=WHO)
    archive = read_archive(result.archive)
    # Then deepsea-ai's files are there
    assert archive.members[:3] == ("processingjobconfig.json", "tracks/dive 1.txt", "f000001.json")
    assert archive.job_config == {
        "UserName": "mbari",
        "ProcessingJobName": "shoal-dive-7",
        "AppSpecification": {"ImageUri": "registry.example.org/worker:1", "ContainerArguments": ["dettrack"]},
        "VideoName": "dive 1.mp4",
    }
    mot = np.array([[float(word) for word in line.split(" ")] for line in archive.mot.splitlines()])
    assert mot.shape == (result.detections, 10)
    assert mot[0, :6].tolist() == pytest.approx([1, 1, 14, 12, 32, 32], abs=8)
    assert sorted(archive.events) == list(range(1, FRAMES + 1))
    assert [len(archive.events[frame]) for frame in (1, FRAMES)] == [1, 2]
    # And MBARI's newer files, in a folder called like the archive
    newer = ("detections.csv", "detections.json", "tracks.csv", "metadata.json")
    assert archive.members[-4:] == tuple(f"dive 1.tracks/{name}" for name in newer)
    about = archive.metadata
    assert (about["total_frames"], about["unique_tracks"], about["total_detections"]) == (
        24,
        2,
        result.detections,
    )
    assert (about["video_width"], about["video_height"], about["video_fps"]) == (160, 96, 30.0)
    assert [track["label"] for track in archive.tracks] == ["red", "blue"]


def test_the_three_forms_tell_the_same(tmp_path, detector, video):
    # Given an archive
    archive = read_archive(track_video(video, detector, tmp_path, options=ARGUMENTS).archive)
    # When every row of detections.csv is looked up in the MOT text and in the frame's events
    mot = {tuple(map(int, line.split(" ")[:2])): line.split(" ")[2:7] for line in archive.mot.splitlines()}
    for row in archive.detections:
        left, top, width, height, score = map(float, mot.pop((row["frame"], row["tracker_id"])))
        # Then place, size, score and label agree, in pixels and in shares of the picture
        assert [row["x"] * 160, row["y"] * 96] == pytest.approx([left, top], abs=0.01)
        assert [row["xx"] * 160, row["xy"] * 96] == pytest.approx([left + width, top + height], abs=0.02)
        event = next(e for e in archive.events[row["frame"]] if abs(e["bounding_box"]["x"] - left) < 1)
        assert (event["class_name"], event["frame_num"]) == (row["label"], row["frame"])
        assert event["confidence"] == pytest.approx(score, abs=1e-4) == pytest.approx(row["score"], abs=1e-4)
    assert mot == {}


def test_an_invented_box_says_so_in_every_form(tmp_path, detector):
    # Given a red square that passes behind something for four frames
    def seen(number: int) -> np.ndarray:
        image = np.zeros((96, 160, 3), np.uint8)
        if not 10 <= number < 14:
            image[32:64, 20 + 2 * number : 52 + 2 * number] = (255, 0, 0)
        return image

    video = write_video(tmp_path / "gap.mp4", FRAMES, seen)
    # When it is tracked offline and online
    offline, online = (
        track_video(video, detector, tmp_path / name, options=f"{ARGUMENTS} {flag}")
        for name, flag in (("offline", ""), ("online", "--online"))
    )
    archive = read_archive(offline.archive)
    # Then the offline result has the four boxes, each with its flag, the gap's length and no score
    invented = [row for row in archive.detections if row["interpolated"]]
    assert [(row["frame"], row["gap_frames"], row["score"]) for row in invented] == [
        (frame, 4, 0.0) for frame in range(10, 14)
    ]
    assert [archive.events[frame][0]["interpolated"] for frame in range(10, 14)] == [True] * 4
    assert "interpolated" not in archive.events[9][0]
    assert (archive.metadata["shoal"]["interpolated_boxes"], archive.tracks[0]["frame_count"]) == (
        4,
        FRAMES - 4,
    )
    # And the online result has neither the boxes nor the columns
    assert (online.tracks, online.detections) == (1, FRAMES - 4)
    assert "interpolated" not in read_archive(online.archive).detections[0]


def test_visual_events_have_the_exact_shape_and_stable_ids(tmp_path, detector, video):
    archive = read_archive(track_video(video, detector, tmp_path, options=ARGUMENTS, provenance=WHO).archive)
    events = [event for frame in archive.events.values() for event in frame]
    assert {tuple(event) for event in events} == {
        (
            "bounding_box",
            "class_name",
            "confidence",
            "frame_num",
            "occlusion",
            "surprise",
            "track_uuid",
            "uuid",
        )
    }
    assert all(tuple(event["bounding_box"]) == ("height", "width", "x", "y") for event in events)
    assert len({uuid.UUID(event["uuid"]) for event in events}) == len(events)
    assert len({uuid.UUID(event["track_uuid"]) for event in events}) == 2


def test_the_same_run_gives_the_same_bytes(tmp_path, detector, video):
    first, second = (
        track_video(video, detector, tmp_path / name, options=ARGUMENTS, provenance=WHO).archive
        for name in "ab"
    )
    assert first.read_bytes() == second.read_bytes()
    assert first.read_bytes()[4:8] == bytes(4)  # gzip's own time stamp (RFC 1952) would differ a second later


def test_several_decoders_change_nothing_but_what_is_said_of_them(tmp_path, detector, monkeypatch):
    # Given a video with a keyframe every six frames, and spans as short as that
    monkeypatch.setattr(plan_spans, "__defaults__", (6,))
    video = write_video(tmp_path / "keys.mp4", FRAMES, _scene, group=6)
    # When it is tracked by one decoder and by three
    one, three = (
        read_archive(
            track_video(video, detector, tmp_path / f"{count}", options=ARGUMENTS, decoders=count).archive
        )
        for count in (1, 3)
    )
    # Then every row is the same
    assert (one.detections, one.tracks, one.mot) == (three.detections, three.tracks, three.mot)
    said = [archive.metadata["shoal"]["video"]["decoder"] for archive in (one, three)]
    assert said == ["mpeg4", "mpeg4 x3"]


def test_an_empty_result_is_still_a_result(tmp_path, detector, video):
    # Given a filter for a class that is not in the video, When it is tracked
    result = track_video(video, detector, tmp_path, options=f"{ARGUMENTS} --classes 1")
    archive = read_archive(result.archive)
    # Then there is an archive, without a single frame file
    assert (result.frames, result.tracks, result.detections) == (FRAMES, 0, 0)
    assert (archive.tracks, archive.detections, archive.events, archive.mot) == ([], [], {}, "")
    assert archive.metadata["total_frames"] == FRAMES


def test_save_vid_puts_a_film_of_every_frame_into_the_archive(tmp_path, detector, video):
    # Given --save-vid, When the video is tracked
    picture_path, film_path = tmp_path / "out" / "paths.png", tmp_path / "out" / "film.mp4"
    options = f"{ARGUMENTS} --save-vid"
    result = track_video(
        video, detector, tmp_path, options=options, annotated=film_path, picture=picture_path
    )
    # Then the film is in the archive and beside it, frame for frame, with boxes drawn in
    with tarfile.open(result.archive) as archive:
        inside = archive.extractfile("dive 1.mp4")
        assert inside is not None
        assert inside.read() == film_path.read_bytes()
    with av.open(str(film_path)) as container:
        shown = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
        assert container.streams.video[0].codec_context.name in {"vp9", "libvpx-vp9"}
    assert len(shown) == FRAMES
    assert shown[15][:, :, 1].max() > 80  # the source has no green at all, the drawn label has
    # And the picture is of the video's size and not only the darkened frame
    drawn = cv2.imread(str(picture_path))
    assert drawn.shape == (96, 160, 3)
    assert drawn.max() > 200


def test_a_film_that_only_the_caller_wants_is_not_in_the_archive(tmp_path, detector, video):
    film = tmp_path / "film.mp4"
    result = track_video(video, detector, tmp_path, options=ARGUMENTS, annotated=film)
    assert film.is_file()
    assert [name for name in read_archive(result.archive).members if name.endswith(".mp4")] == []


def test_one_film_size_is_even_and_not_too_wide():
    assert [film_size(1920, 1080), film_size(161, 97), film_size(1, 1)] == [(1280, 720), (160, 96), (2, 2)]


@pytest.mark.parametrize("after", [0, 5])
def test_stopping_leaves_nothing(tmp_path, detector, video, after):
    # Given a caller who stops after some frames
    asked = iter(range(10_000))
    # When the video is tracked, Then it ends with its own error and no file
    with pytest.raises(TrackingStopped, match=f"after {after} frames"):
        track_video(video, detector, tmp_path, options=ARGUMENTS, stop=lambda: next(asked) >= after)
    assert list(tmp_path.iterdir()) == []


def test_stopping_while_the_film_is_written_leaves_nothing(tmp_path, detector, video):
    # Given a caller who stops after tracking, a few frames into the annotated video
    asked = iter(range(10_000))
    # When the video is tracked, Then neither film nor archive nor a part of them is left
    with pytest.raises(TrackingStopped, match="annotated video"):
        track_video(
            video, detector, tmp_path, annotated=tmp_path / "film.mp4", stop=lambda: next(asked) >= FRAMES + 3
        )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("config", "tracks"), [("STRONGSORT: {ECC: true}", 1), ("STRONGSORT: {ECC: false}", 3)]
)
def test_a_jumping_camera_costs_identities_unless_it_is_measured(tmp_path, detector, config, tracks):
    # Given a square on a textured sea floor, under a camera that jumps twice by more than the square
    random = np.random.default_rng(7)
    floor = cv2.GaussianBlur(random.integers(0, 255, (96, 320, 3), np.uint8), (0, 0), 2) // 2
    floor[32:64, 104:136] = (255, 0, 0)

    def seen(number: int) -> np.ndarray:
        shift = 40 * ((number - 1) // 8)
        return np.ascontiguousarray(floor[:, shift : shift + 160])

    video = write_video(tmp_path / "jump.mp4", FRAMES, seen)
    # When it is tracked with and without measuring the camera, Then only the former keeps the identity
    result = track_video(video, detector, tmp_path, config=parse_track_config(config), options=ARGUMENTS)
    assert result.tracks == tracks


@pytest.mark.parametrize("kind", ["text", "options"])
def test_a_failure_leaves_nothing(tmp_path, detector, video, kind):
    bad = tmp_path / "bad.mp4"
    bad.write_text("no video", encoding="utf-8")
    source, options = (bad, None) if kind == "text" else (video, "--conf-thres 9")
    with pytest.raises((VideoError, OptionsError)):
        track_video(source, detector, tmp_path / "out", options=options)
    assert not (tmp_path / "out").exists()


def test_an_interrupted_archive_does_not_replace_the_old_one(tmp_path):
    # Given an archive of an earlier run
    target = tmp_path / "a.tracks.tar.gz"
    target.write_bytes(b"the old one")
    # When writing a new one breaks, Then the old one is whole and no part lies around
    with pytest.raises(AttributeError):
        write_archive(target, None)  # type: ignore[arg-type]
    assert [path.name for path in tmp_path.iterdir()] == ["a.tracks.tar.gz"]
    assert target.read_bytes() == b"the old one"


def test_what_was_asked_for_and_not_done_is_noted(tmp_path, detector, video):
    config = parse_track_config("STRONGSORT: {NN_BUDGET: 100, ECC: true}")
    result = track_video(video, detector, tmp_path, config=config, options=f"{ARGUMENTS} --odd --imgsz 640")
    assert [note.split()[0] for note in result.notes] == ["--odd", "--imgsz", "NN_BUDGET"]
    assert read_archive(result.archive).metadata["shoal"]["notes"] == list(result.notes)
    assert result.tracks == 2


def test_the_camera_s_motion_is_measured():
    # Given a textured sea floor that shifts by a known amount, seen at 640 pixels
    random = np.random.default_rng(5)
    floor = cv2.GaussianBlur(random.integers(0, 255, (500, 800, 3), np.uint8), (0, 0), 4)
    camera = CameraMotion()
    # When two frames are measured
    first = camera.measure(floor[50:410, 50:690])
    second = camera.measure(floor[56:416, 62:702])
    # Then the first says nothing and the second the shift
    assert first is None
    assert second is not None
    assert second == pytest.approx(np.array([[1, 0, -12], [0, 1, -6]]), abs=0.6)
    assert camera.measure(np.zeros((360, 640, 3), np.uint8)) is None


@pytest.mark.parametrize(("degrees", "zoom", "shift"), [(0.4, 1.0, 0), (0, 1.01, 0), (-0.3, 0.99, 40)])
def test_the_camera_s_motion_is_exact_in_pixels_of_the_frame(degrees, zoom, shift):
    # Given a sea floor that turns, comes nearer and shifts, grain, and an animal that crosses it on its own
    random = np.random.default_rng(11)
    floor = cv2.GaussianBlur(random.integers(0, 255, (540, 960), np.uint8), (0, 0), 6) * 6.0
    floor = np.clip(floor - 5 * 127, 0, 255).astype(np.float32)
    truth = cv2.getRotationMatrix2D((480, 270), degrees, zoom) + np.array([[0, 0, shift], [0, 0, -shift / 2]])
    frames = [floor, cv2.warpAffine(floor, truth, (960, 540), borderMode=cv2.BORDER_REFLECT)]
    for number, frame in enumerate(frames):
        frame += random.normal(0, 3, frame.shape).astype(np.float32)
        frame[200:300, 300 + 25 * number : 420 + 25 * number] = np.tile([[30.0], [220.0]], (50, 120))
    # When the motion between the two is measured
    camera = CameraMotion()
    camera.measure(np.clip(frames[0], 0, 255).astype(np.uint8))
    motion = camera.measure(np.clip(frames[1], 0, 255).astype(np.uint8))
    # Then it takes points of the floor to where they are, all over the frame, to a third of a pixel
    points = np.array([(x, y) for x in (100, 480, 860) for y in (60, 270, 480)], float)
    off = points @ motion[:, :2].T + motion[:, 2] - (points @ truth[:, :2].T + truth[:, 2])
    assert np.hypot(*off.T).max() < 1 / 3


def test_a_thumbnail_s_motion_in_pixels_of_the_frame_turns_about_the_same_point(monkeypatch):
    # Given thumbnails of a quarter of the size, one of which is the other zoomed about its pixel (30, 10)
    zoom = np.array([[1.5, 0, 30 - 1.5 * 30], [0, 1.5, 10 - 1.5 * 10]])
    monkeypatch.setattr("shoal_worker.motion._similarity", lambda *_: zoom.copy())
    camera, grey = CameraMotion(), np.zeros((20, 60), np.uint8)
    camera.follow(grey, 4.0)
    # When the motion is told, Then the middle of that pixel is where it was in the frame
    middle = np.array([4 * 30.5, 4 * 10.5])
    motion = camera.follow(grey, 4.0)
    assert motion[:, :2] @ middle + motion[:, 2] == pytest.approx(middle)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((1080, 1920), ((270, 480), 4.0)),
        ((719, 1281), ((179, 320), 4.0)),
        ((360, 480), ((360, 480), 1.0)),
        ((1, 2000), ((1, 250), 8.0)),
    ],
)
def test_a_thumbnail_is_halved_until_it_is_small(shape, expected):
    # Given frames of any size, in colour or luma only, When the same object makes two thumbnails
    thumbnails, frame = Thumbnails(), np.full((*shape, 3), 80, np.uint8)
    first, factor = thumbnails(frame)
    second, _ = thumbnails(frame[..., 0] // 2)
    # Then each is the frame's own, and its factor is exact
    assert (first.shape, factor) == expected
    assert (set(first.ravel().tolist()), set(second.ravel().tolist())) == ({80}, {40})
    assert not np.shares_memory(thumbnails(second)[0], second)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda path: path.write_bytes(b"nonsense"), "cannot be read"),
        (lambda path: tarfile.open(path, "w:gz").close(), "not a tracks archive"),
    ],
)
def test_what_is_no_archive_is_refused(tmp_path, make, says):
    path = tmp_path / "a.tracks.tar.gz"
    make(path)
    with pytest.raises(ArchiveError, match=says):
        read_archive(path)


@pytest.mark.data
@pytest.mark.skipif(not (SHARED / "deepsea").is_dir(), reason="the deep-sea clips are not beside the project")
def test_a_deep_sea_clip_is_tracked_from_end_to_end(tmp_path, detector):
    # Given a real 1080p clip, When it is tracked, Then the result speaks of exactly its 32 frames
    clip = next((SHARED / "deepsea").glob("*.mp4"))
    result = track_video(clip, detector, tmp_path)
    assert result.frames == 32
    assert read_archive(result.archive).metadata["total_frames"] == 32
