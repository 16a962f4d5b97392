"""The table of bad and odd input: each gives a correct result, or an error that says what is wrong.

Every video is read in this process and in a contained one, and both must say the same.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import av
import numpy as np
import odd_videos
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from shoal_worker import parse_track_config, read_archive, track_video
from shoal_worker.containment.reader import ContainedReader
from shoal_worker.errors import ModelError, VideoError
from shoal_worker.video import Frame, VideoReader
from tiny_models import NAMES

Make = Callable[[Path], Path]
DEEP_SEA = sorted((Path(__file__).parents[4] / "shared" / "data" / "deepsea").glob("*.mp4"))


def both(video: Path) -> tuple[list[Frame], VideoReader]:
    """The frames, the same from both readers."""
    with VideoReader(video) as plain, ContainedReader(video) as contained:
        frames, others = list(plain), list(contained)
    assert [(one.number, one.pts) for one in frames] == [(one.number, one.pts) for one in others]
    assert all((one.image == other.image).all() for one, other in zip(frames, others, strict=True))
    assert (contained.info, contained.damaged) == (plain.info, plain.damaged)
    return frames, plain


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (odd_videos.empty, "is not a video that can be read"),
        (odd_videos.without_index, "is the upload complete"),
        (odd_videos.audio_only, "has no video stream"),
        (odd_videos.no_frames, "is the upload complete|no frame of"),
        (odd_videos.unknown_codec, "no decoder here reads dive.mkv"),
        (odd_videos.playlist, "is not a video that can be read"),
        (odd_videos.concatenation, "is not a video that can be read"),
        (odd_videos.session, "is not a video that can be read"),
        (odd_videos.enormous, "more than 67 million pixels|how large|not a video that can be read"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_cannot_be_read_says_why(make: Make, says: str, tmp_path: Path) -> None:
    video = make(tmp_path / "dive")
    for reader in (VideoReader, ContainedReader):
        with pytest.raises(VideoError, match=says), reader(video) as opened:
            list(opened)


@pytest.mark.parametrize(
    "make",
    [
        odd_videos.plain,
        odd_videos.ten_bit,
        odd_videos.interlaced,
        odd_videos.rotated,
        odd_videos.variable_rate,
    ],
    ids=lambda make: make.__name__,
)
def test_odd_videos_have_every_frame_and_its_picture(make: Make, tmp_path: Path) -> None:
    # When
    frames, reader = both(make(tmp_path / "dive"))
    # Then the picture is as it is stored, not as a player would turn it
    assert [frame.number for frame in frames] == list(range(1, odd_videos.FRAMES + 1))
    assert (reader.info.width, reader.info.height, reader.damaged) == (160, 96, 0)
    for frame in frames:
        expected = odd_videos.draw(frame.number).astype(int)
        assert np.abs(frame.image - expected).mean() < 12


def test_a_variable_rate_keeps_its_time_stamps(tmp_path: Path) -> None:
    frames, _ = both(odd_videos.variable_rate(tmp_path / "dive"))
    first = frames[0].pts or 0
    seconds = [((frame.pts or 0) - first) / 1000 for frame in frames]
    assert seconds == pytest.approx([stamp / 30 for stamp in odd_videos.STAMPS], abs=0.002)


def test_a_broken_upload_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    frames, _ = both(odd_videos.broken_upload(tmp_path / "dive"))
    assert 1 < len(frames) < odd_videos.FRAMES
    assert [frame.number for frame in frames] == list(range(1, len(frames) + 1))


class Breaking:
    """An open container whose reading breaks with ``error`` after so many packets."""

    def __init__(self, container: av.container.InputContainer, after: int, error: Exception) -> None:
        self._container, self._after, self._error = container, after, error

    def demux(self, stream: av.video.stream.VideoStream) -> Iterator[av.Packet]:
        yield from islice(self._container.demux(stream), self._after)
        raise self._error

    def close(self) -> None:
        self._container.close()


DAMAGE = [
    av.error.InvalidDataError(1094995529, "invalid data"),
    av.error.BlockingIOError(11, "again"),
    IndexError("list index out of range"),
]


@pytest.mark.parametrize("error", DAMAGE, ids=lambda error: type(error).__name__)
def test_what_breaks_off_is_read_as_far_as_it_goes(error: Exception, tmp_path: Path) -> None:
    with VideoReader(odd_videos.plain(tmp_path / "dive")) as reader:
        reader._container = Breaking(reader._container, 8, error)
        read = len(list(reader.decoded()))
    assert 0 < read <= 8
    assert reader.damaged >= 1


@pytest.mark.parametrize("error", DAMAGE, ids=lambda error: type(error).__name__)
def test_what_breaks_at_once_has_no_frame(error: Exception, tmp_path: Path) -> None:
    with VideoReader(odd_videos.plain(tmp_path / "dive")) as reader:
        reader._container = Breaking(reader._container, 0, error)
        with pytest.raises(VideoError, match=r"no frame of dive\.mp4 can be decoded"):
            list(reader.decoded())


def test_an_index_that_asks_for_all_memory_is_an_error_of_the_video(tmp_path: Path) -> None:
    # Given a reader in the middle of a file: what was read so far is no result
    with VideoReader(odd_videos.plain(tmp_path / "dive")) as reader:
        reader._container = Breaking(reader._container, 8, av.error.MemoryError(12, "no memory"))
        with pytest.raises(VideoError, match="asks for more memory than there is"):
            list(reader.decoded())


def test_a_4k_video_fits_into_the_contained_memory(tmp_path: Path) -> None:
    with ContainedReader(odd_videos.large(tmp_path / "dive")) as reader:
        means = [round(float(frame.image.mean())) for frame in reader]
    assert (reader.info.width, reader.info.height) == (3840, 2160)
    assert means == pytest.approx([9, 18, 27], abs=2)


def _packets(video: Path) -> list[int]:
    """Time stamps in the order shown, from the container alone."""
    with av.open(str(video)) as container:
        stream = container.streams.video[0]
        return sorted(packet.pts for packet in container.demux(stream) if packet.pts is not None)


def _ffprobe(video: Path) -> list[int]:
    command = [
        "ffprobe",
        "-v",
        "error",
        "-select_streams",
        "v:0",
        "-show_entries",
        "frame=pts",
        "-of",
        "json",
    ]
    done = subprocess.run([*command, str(video)], capture_output=True, check=True, text=True)
    return [int(frame["pts"]) for frame in json.loads(done.stdout)["frames"]]


@pytest.mark.data
@pytest.mark.skipif(not DEEP_SEA, reason="the deep-sea clips are not beside the project")
@pytest.mark.parametrize("video", DEEP_SEA, ids=lambda video: video.stem)
def test_numbers_and_time_stamps_agree_with_the_container(video: Path) -> None:
    frames, _ = both(video)
    stamps = [frame.pts for frame in frames]
    assert stamps == _packets(video)
    if shutil.which("ffprobe"):
        assert stamps == _ffprobe(video)


def write_constant_model(path: Path, output: np.ndarray, names: tuple[str, ...] = NAMES) -> Path:
    """A detector that answers ``output`` whatever it sees."""
    answer = numpy_helper.from_array(output, "answer")
    nothing = numpy_helper.from_array(np.float32(0), "nothing")
    nodes = [
        helper.make_node("ReduceMax", ["images"], ["brightest"], keepdims=0),
        helper.make_node("Mul", ["brightest", "nothing"], ["zero"]),
        helper.make_node("Add", ["answer", "zero"], ["output0"]),
    ]
    image = helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, 96, 160])
    graph = helper.make_graph(
        nodes, "constant", [image], [helper.make_tensor_value_info("output0", TensorProto.FLOAT, None)],
        [answer, nothing],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    helper.set_model_props(model, {"names": str(dict(enumerate(names))), "stride": "32", "task": "detect"})
    onnx.save(model, path)
    return path


def _yolov8(boxes: list[list[float]], score: float = 0.9) -> np.ndarray:
    """(1, 4 + 3, n): centre x, centre y, width, height, and the first class's score."""
    rows = [[*box, score, 0, 0] for box in boxes]
    return np.array(rows, np.float32).reshape(-1, 7).T[None]


@pytest.mark.parametrize(
    ("output", "says"),
    [
        (np.zeros((1, 9, 9), np.float32), "fits no layout"),
        (np.zeros((7, 200), np.float32), "is not"),
        (np.zeros((1, 2, 3, 4), np.float32), "is not"),
    ],
    ids=["no layout", "two axes", "four axes"],
)
def test_a_model_of_another_shape_is_refused(output: np.ndarray, says: str, tmp_path: Path) -> None:
    video = odd_videos.plain(tmp_path / "dive")
    with pytest.raises(ModelError, match=says):
        track_video(video, write_constant_model(tmp_path / "m.onnx", output), tmp_path)
    assert not list(tmp_path.glob("*.tar.gz"))


NAN, INFINITY = float("nan"), float("inf")
GOOD = [80.0, 48.0, 30.0, 30.0]
GRID = [[8.0 + 16 * (index % 9), 8.0 + 16 * (index // 9 % 5), 14.0, 14.0] for index in range(10_000)]


@pytest.mark.parametrize("online", ["", "--online"])
@pytest.mark.parametrize(
    ("boxes", "score", "tracks"),
    [
        ([GOOD], 0.0, 0),
        ([GOOD], NAN, 0),
        ([[NAN, 48, 30, 30], GOOD], 0.9, 1),
        ([[80, 48, INFINITY, 30], GOOD], 0.9, 1),
        ([[NAN] * 4], 0.9, 0),
        (GRID, 0.9, 45),
    ],
    ids=["no boxes", "NaN scores", "a NaN box", "an infinite box", "NaN only", "10,000 boxes"],
)
def test_what_a_model_makes_up_is_bounded(
    boxes: list[list[float]], score: float, tracks: int, online: str, tmp_path: Path
) -> None:
    # Given a model in the layout of YOLOv8, padded to a grid's size
    padded = _yolov8(boxes, score)
    padded = np.concatenate([padded, np.zeros((1, 7, max(0, 300 - padded.shape[2])), np.float32)], axis=2)
    model = write_constant_model(tmp_path / "m.onnx", padded)
    # When
    result = track_video(odd_videos.plain(tmp_path / "dive"), model, tmp_path, options=online)
    # Then
    archive = read_archive(result.archive)
    assert (result.frames, result.tracks) == (odd_videos.FRAMES, tracks)
    assert all(0 <= row[side] <= 1 for row in archive.detections for side in ("x", "y", "xx", "xy"))


def test_unknown_keys_of_a_configuration_are_told_in_the_archive(tmp_path: Path) -> None:
    config = parse_track_config("STRONGSORT:\n  N_INIT: 2\n  COFFEE: strong\n")
    model = write_constant_model(tmp_path / "m.onnx", _yolov8([GOOD] * 300))
    result = track_video(odd_videos.plain(tmp_path / "dive"), model, tmp_path, config=config)
    assert "COFFEE is not known and was skipped" in result.notes
    assert list(result.notes) == read_archive(result.archive).metadata["shoal"]["notes"]
