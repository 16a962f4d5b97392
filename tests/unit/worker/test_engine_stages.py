"""The stages: small pictures from planes, files cut at keyframes, bounded queues, batches in flight."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from shoal_worker import Detector, TrackOptions
from shoal_worker.hardware import accelerator, decoder_name
from shoal_worker.layouts import Layout
from shoal_worker.planes import Scaler, luma, scaled_rgb
from shoal_worker.prepare import Decoding, Prepared
from shoal_worker.preprocess import Batcher, Letterbox
from shoal_worker.readahead import read_ahead
from shoal_worker.spans import Plan, Span, in_order, plan_spans
from shoal_worker.video import VideoReader
from tiny_models import NAMES, write_model
from tiny_videos import picture, write_video

CLIPS = Path(__file__).parents[4] / "shared" / "data" / "deepsea"
deepsea = pytest.mark.skipif(not CLIPS.is_dir(), reason="the deep-sea clips are not beside the project")
SIZE = (48, 64)


def _textured(number: int) -> np.ndarray:
    """A picture that moves, with colours, and is different in every frame."""
    rows, columns = np.mgrid[0:96, 0:128]
    planes = [columns * 2 + 5 * number, rows * 2 + 3 * number, rows + columns + 7 * number]
    return np.stack([plane % 256 for plane in planes], axis=2).astype(np.uint8)


def _frame(kind: str, space: int, span: int) -> av.VideoFrame:
    smooth = cv2.GaussianBlur(_textured(3), (0, 0), 4)
    frame = av.VideoFrame.from_ndarray(smooth, format="rgb24").reformat(format=kind, dst_colorspace=space)
    frame.colorspace, frame.color_range = space, span
    return frame


@pytest.mark.parametrize("kind", ["yuv420p", "nv12", "yuv444p", "yuv420p10le"])
@pytest.mark.parametrize("space", [1, 5], ids=["BT.709", "BT.601"])
def test_planes_scaled_first_give_the_usual_picture(kind, space):
    # Given a decoded frame in one of the forms that decoders answer
    frame = _frame(kind, space, 1)
    # When it is scaled plane by plane, Then it is FFmpeg's own picture scaled, up to rounding
    usual = cv2.resize(frame.to_ndarray(format="rgb24"), SIZE[::-1])
    difference = np.abs(scaled_rgb(frame, SIZE).astype(int) - usual)
    assert difference.mean() < 2
    assert difference.max() < 16


@pytest.mark.parametrize("kind", ["yuv420p", "nv12"])
@pytest.mark.parametrize("factor", [3, 5, 7, 9])
def test_by_an_odd_factor_every_pixel_is_the_middle_one_of_its_block(kind, factor):
    # Given a frame with edges everywhere, so that the pixel beside the middle has another colour
    random = np.random.default_rng(factor)
    blocks = random.integers(0, 256, (14 * factor, 18 * factor, 3), np.uint8)
    frame = av.VideoFrame.from_ndarray(blocks, format="rgb24").reformat(format="yuv420p", dst_colorspace=1)
    frame.colorspace, frame.color_range = 1, 1
    # When it is scaled, from either form that decoders answer, Then the picture is the middle of every block
    # of FFmpeg's, luma and chroma
    middles = frame.to_ndarray(format="rgb24")[factor // 2 :: factor, factor // 2 :: factor]
    difference = np.abs(scaled_rgb(frame.reformat(format=kind), (14, 18)).astype(int) - middles)
    assert difference.max() <= 4
    # And for a picture that is RGB already it is so to the bit
    assert (Letterbox(blocks.shape[:2], (14, 18))(blocks) == cv2.resize(blocks, (18, 14))).all()


@pytest.mark.parametrize("size", [(32, 44), (48, 66), (96, 132)], ids=["sampled", "halved", "as it is"])
def test_pictures_that_were_handed_on_are_not_written_again(size):
    # Given one scaler for several frames, of both forms that decoders answer
    forms = {40: "yuv420p", 90: "nv12", 200: "yuv420p"}
    greys = (np.full((96, 132, 3), level, np.uint8) for level in forms)
    frames = [
        av.VideoFrame.from_ndarray(grey, format="rgb24").reformat(format=form)
        for grey, form in zip(greys, forms.values(), strict=True)
    ]
    scaler = Scaler(size)
    # When they are scaled one after the other, Then each picture is what a scaler of its own makes
    pictures = [scaler(frame) for frame in frames]
    for frame, shown in zip(frames, pictures, strict=True):
        assert (shown == scaled_rgb(frame, size)).all()
    assert len({int(shown[0, 0, 0]) for shown in pictures}) == 3


def test_luma_is_a_view_where_there_is_one():
    assert luma(_frame("nv12", 1, 1)).shape == (96, 128)
    assert luma(_frame("rgb24", 1, 1)) is None


@pytest.mark.parametrize(
    ("stretch", "inner"), [(False, (36, 64)), (True, (64, 64))], ids=["with a border", "stretched"]
)
def test_boxes_come_back_from_either_way_of_fitting(stretch, inner):
    # Given a 16:9 frame in a square input
    letterbox = Letterbox((1080, 1920), (64, 64), stretch=stretch)
    assert letterbox.inner == inner
    # When the box of the whole picture is restored, Then it is the frame
    top = (64 - inner[0]) // 2
    box = np.array([[0, top, 64, top + inner[0]]], np.float32)
    assert letterbox.restore(box).tolist() == [[0, 0, 1920, 1080]]


@pytest.mark.parametrize(
    ("kind", "normalise", "expected"),
    [(np.float32, False, 0.2), (np.uint8, False, 51), (np.float32, True, (0.2 - 0.485) / 0.229)],
)
def test_a_batch_is_scaled_as_the_network_expects(kind, normalise, expected):
    # Given one picture of a grey of 51 for a network of two at once
    batcher = Batcher(2, (4, 6), kind, 2, normalise=normalise)
    # When it is batched, Then it is the first of the tensor, and the next call writes another tensor
    tensor = batcher([np.full((4, 6, 3), 51, np.uint8)])
    assert (tensor.shape, tensor.dtype) == ((2, 3, 4, 6), kind)
    assert float(tensor[0, 0, 0, 0]) == pytest.approx(expected, abs=1e-6)
    assert batcher([np.zeros((4, 6, 3), np.uint8)]) is not tensor


@pytest.mark.parametrize("size", [(96, 96), (64, 200), (64, 96)], ids=["above", "beside", "no border"])
@pytest.mark.parametrize("kind", [np.float32, np.float16, np.uint8])
@pytest.mark.parametrize("normalise", [False, True])
def test_a_border_that_is_written_once_is_the_one_that_is_written_always(size, kind, normalise):
    # Given pictures with the border of a letterbox, and a batcher that knows it
    letterbox = Letterbox((64, 96), size)
    pictures = [letterbox(_textured(number)[:64, :96]) for number in range(5)]
    knows, does_not = (
        Batcher(2, size, kind, 2, normalise=normalise, letterbox=box) for box in (letterbox, None)
    )
    # When they are batched, also fewer than a batch, Then every tensor is the same to the bit
    for some in (pictures[:2], pictures[2:4], pictures[4:]):
        assert np.array_equal(knows(some)[: len(some)], does_not(some)[: len(some)])


def _clip(folder: Path, codec: str, b_frames: int) -> Path:
    return write_video(
        folder / "clip.mkv", 70, _textured, codec=codec, b_frames=b_frames, first_pts=15, group=10
    )


def _pictures(path: Path, decoders: int, monkeypatch, fewest: int = 8) -> tuple[list[int], Decoding]:
    monkeypatch.setattr("shoal_worker.prepare.plan_spans", lambda p, n: plan_spans(p, n, fewest))
    decoding = Decoding(path, lambda frame: Letterbox(frame, (64, 64)), decoders=decoders, camera=True)
    shown = [hash((item.picture.tobytes(), item.thumbnail[0].tobytes())) for item in decoding]
    return shown, decoding


@pytest.mark.parametrize("codec", ["libx264", "libx265", "mpeg4", "mpeg2video", "libvpx-vp9"])
@pytest.mark.parametrize("b_frames", [0, 2])
@pytest.mark.parametrize("decoders", [2, 3])
def test_several_decoders_show_exactly_what_one_shows(tmp_path, monkeypatch, codec, b_frames, decoders):
    if codec not in av.codecs_available:
        pytest.skip(f"this FFmpeg has no {codec}")
    # Given a file with a keyframe every ten frames or so
    path = _clip(tmp_path, codec, b_frames)
    # When it is read by one decoder and by several
    whole, serial = _pictures(path, 1, monkeypatch)
    parts, split = _pictures(path, decoders, monkeypatch)
    # Then both show the same pictures, one by one
    assert len(split._plan.spans) >= 3
    assert parts == whole
    assert (split.frames, split.damaged) == (serial.frames, serial.damaged) == (70, 0)


@deepsea
@pytest.mark.data
@pytest.mark.parametrize("name", ["V4361_20211006T162656Z_h265_1sec", "V4361_20211006T163856Z_h265_1sec"])
def test_the_deep_sea_clips_are_cut_without_a_trace(monkeypatch, name):
    # Given a real clip with keyframes at frames 1 and 31, When it is cut there, Then nothing changes
    whole, _ = _pictures(CLIPS / f"{name}.mp4", 1, monkeypatch)
    parts, split = _pictures(CLIPS / f"{name}.mp4", 2, monkeypatch, fewest=2)
    assert len(split._plan.spans) == 2
    assert parts == whole
    assert len(whole) == 32


def test_a_file_is_cut_only_at_keyframes_that_are_far_enough_apart(tmp_path):
    # Given 70 frames with a keyframe every ten
    path = _clip(tmp_path, "mpeg4", 0)
    # When it is planned for two decoders with at least 25 frames each
    plan = plan_spans(path, 2, 25)
    # Then there are two spans, one after the other; and for one decoder nothing is looked at
    assert [plan.spans[0].first, plan.spans[-1].end] == [None, None]
    assert plan.spans[0].end == plan.spans[1].first
    assert (len(plan.spans), plan.packets) == (2, 70)
    assert plan_spans(path, 1) == Plan((Span(None, None),), None)


def test_a_file_without_time_stamps_is_not_cut(tmp_path):
    raw = write_video(tmp_path / "raw.h264", 40, _textured, codec="libx264", group=10)
    assert len(plan_spans(raw, 2, 5).spans) == 1


def test_sources_run_side_by_side_and_answer_in_order():
    # Given three sources, two of which may run at once
    started, late = [], threading.Event()

    def source(name: int):
        started.append(name)
        if name == 0:
            assert late.wait(10)
        if name == 1:
            late.set()
        yield from ((name, item) for item in range(3))

    # When they are read, Then the second one starts before the first is done, and still comes after it
    items = list(in_order([lambda n=n: source(n) for n in range(3)], 2, 4))
    assert items == [(name, item) for name in range(3) for item in range(3)]
    assert sorted(started) == [0, 1, 2]


def test_leaving_ends_every_source():
    # Given endless sources, When the reader leaves after one item, Then all their threads end
    def endless():
        while True:
            yield 1

    items = in_order([endless, endless, endless], 3, 2)
    assert next(items) == 1
    items.close()
    assert [thread.name for thread in threading.enumerate() if thread.name == "shoal-decode"] == []


def test_a_slow_consumer_holds_the_whole_pipeline_back():
    # Given a chain of two stages with queues of three, over an endless source
    taken = []

    def source():
        while True:
            taken.append(1)
            yield len(taken)

    # When the consumer takes five items, Then no more than the queues hold was decoded beyond them
    with read_ahead(source(), 3) as first, read_ahead((item for item in first), 3) as second:
        assert [next(second) for _ in range(5)] == [1, 2, 3, 4, 5]
    assert len(taken) <= 5 + 2 * (3 + 2) + 2


class _FakeBackend:
    """Counts what is under way, and answers only when asked."""

    provider, precision, batch, card = "CUDAExecutionProvider", "float16", 4, None

    def __init__(self, depth: int) -> None:
        self.depth, self.most, self._under_way, self.shapes = depth, 0, 0, set()

    def submit(self, tensor):
        self._under_way += 1
        self.most = max(self.most, self._under_way)
        self.shapes.add(tensor.shape)
        brightest = tensor.reshape(len(tensor), -1).max(axis=1).astype(np.float32)

        def result():
            self._under_way -= 1
            rows = np.zeros((len(tensor), 1, 6), np.float32)
            rows[:, 0, 2:4], rows[:, 0, 4] = 8, brightest
            return [rows]

        return result


@pytest.mark.parametrize("frames", [1, 4, 11])
@pytest.mark.parametrize("depth", [1, 3])
def test_batches_are_under_way_together_and_answers_keep_their_frames(tmp_path, frames, depth):
    # Given a network on a GPU that takes four frames at once
    model = Detector(write_model(tmp_path / "m.onnx", "end2end")).model
    backend = _FakeBackend(depth)
    model = replace(model, backend=backend, layout=Layout.END_TO_END, batch=4, input_type=np.float32)
    letterbox = Letterbox((8, 8), (8, 8))
    source = [Prepared(np.full((8, 8, 3), 50 + 10 * number, np.uint8), None) for number in range(frames)]
    # When a video goes through it
    found = list(Detector(model).stream(source, letterbox, TrackOptions()))
    # Then every frame has its own answer, in order, in batches of one shape and never too many at once
    scores = [float(detections.scores[0]) for _, detections in found]
    assert scores == pytest.approx([(50 + 10 * number) / 255 for number in range(frames)], abs=1e-3)
    assert backend.shapes == {(4, 3, 8, 8)}
    assert backend.most <= depth + 1


def test_threads_share_one_detector(tmp_path):
    # Given one detector and eight threads with pictures of their own
    detector = Detector(write_model(tmp_path / "m.onnx", "yolov8"))
    answers: dict[int, list] = {}

    def look(index: int) -> None:
        for _ in range(10):
            frame = picture([(44 + 8 * index, 36, index % 3)])
            found = detector.detect(frame, TrackOptions(confidence=0.8, iou=0.2))
            answers.setdefault(index, []).append((found.boxes[0, 0].item(), NAMES[found.classes[0]]))

    # When all look at once
    threads = [threading.Thread(target=look, args=(index,)) for index in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # Then every answer is of the thread's own picture
    for index in range(8):
        expected = pytest.approx([28 + 8 * index] * 10, abs=0.5)
        assert [left for left, _ in answers[index]] == expected
        assert {name for _, name in answers[index]} == {NAMES[index % 3]}


def test_without_a_card_the_processor_decodes_and_the_name_says_so(tmp_path, monkeypatch):
    # Given a machine whose FFmpeg knows NVDEC, and has no card
    monkeypatch.setattr("shoal_worker.hardware.hwdevices_available", lambda: ["cuda"])
    path = write_video(tmp_path / "a.mp4", 5, _textured, codec="libx264")
    # When a file is opened for it
    assert accelerator("cuda:1") is not None
    assert accelerator("vaapi") is None
    with VideoReader(path, hardware="cuda") as reader:
        count, name = sum(1 for _ in reader), reader.decoder
    # Then all of it is read
    assert (count, name) == (5, "h264")


def test_nvdec_is_named():
    class Context:
        name, is_hwaccel = "hevc", True

    assert decoder_name(Context()) == "hevc (NVDEC)"
