"""The network's own device: what runs beside the network there is compared, on the processor, with NumPy's
way."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import av
import cv2
import numpy as np
import onnx
import onnxruntime
import pytest
from shoal_worker import Detections, Detector, TrackOptions, read_archive, track_video
from shoal_worker import devicegraphs as graphs
from shoal_worker.backend import Card
from shoal_worker.deviceinference import MOST_GRAPHS, DeviceInference, _split
from shoal_worker.errors import ModelError
from shoal_worker.inference import open_inference
from shoal_worker.layouts import Layout
from shoal_worker.nms import MAXIMUM_CANDIDATES, read_output
from shoal_worker.onnxgraph import Graph
from shoal_worker.planes import Scaler, colours, packed, scaled_rgb
from shoal_worker.prepare import Decoding, Prepared, Preparing
from shoal_worker.preprocess import Batcher, Letterbox
from tiny_models import write_model
from tiny_videos import picture, write_video

SIZE = (96, 128)
KINDS = {np.float32: 3 / 255, np.float16: 3 / 255, np.uint8: 3}
"""Element types, and how far apart two ways of rounding may be."""


def _run(graph: bytes, **inputs: np.ndarray) -> np.ndarray:
    onnx.checker.check_model(onnx.load_from_string(graph), full_check=True)
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    return session.run(None, inputs)[0]


def _frame(kind: str, space: int = 1, span: int = 1, size: tuple[int, int] = (180, 240)) -> av.VideoFrame:
    rows, columns = np.mgrid[0 : size[0], 0 : size[1]]
    waves = [127 + 120 * np.sin(rows / 9 + channel) * np.cos(columns / 13) for channel in range(3)]
    image = np.stack(waves, axis=2).astype(np.uint8)
    frame = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format=kind, dst_colorspace=space)
    frame.colorspace, frame.color_range = space, span
    return frame


def _fitted(frame: av.VideoFrame, letterbox: Letterbox) -> np.ndarray:
    picture = letterbox.empty()
    Scaler(letterbox.inner)(frame, letterbox.inside(picture))
    return picture


@pytest.mark.parametrize("element", list(KINDS))
@pytest.mark.parametrize(
    ("letterbox", "normalise"),
    [
        (Letterbox((180, 240), SIZE), False),
        (Letterbox((180, 240), (160, 128)), False),
        (Letterbox((180, 240), (96, 160), stretch=True), True),
        (Letterbox((180, 240), (60, 96)), False),
    ],
    ids=["filled", "with a border", "stretched and normalised", "by an odd factor"],
)
def test_planes_become_the_tensor_that_the_processor_makes(letterbox, normalise, element):
    # Given two decoded frames
    frames = [_frame("yuv420p"), _frame("nv12", space=5)]
    frames[1].colorspace = 1
    # When they are scaled, coloured, bordered and batched in the graph
    graph = graphs.planes_graph(letterbox, 3, element, normalise=normalise)
    stacked = np.stack([packed(frames[0]), packed(frames[1]), np.zeros((270, 240), np.uint8)])
    found = _run(graph, **{graphs.FRAMES: stacked, graphs.COLOURS: colours(frames[0])})
    # Then the tensor is the processor's, up to rounding
    pictures = [_fitted(frame, letterbox) for frame in frames]
    expected = Batcher(3, letterbox.size, element, 1, normalise=normalise)(pictures)
    assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
    scale = 1 / 0.224 if normalise and element is not np.uint8 else 1
    difference = np.abs(found[:2].astype(np.float32) - expected[:2])
    assert difference.max() <= KINDS[element] * scale
    assert difference.mean() <= KINDS[element] * scale / 3


@pytest.mark.parametrize("space", [1, 5, 9])
@pytest.mark.parametrize("span", [1, 2])
def test_the_colours_are_the_frame_s_own(space, span):
    # Given a frame in one of the spaces and ranges of video
    frame, letterbox = _frame("yuv420p", space, span), Letterbox((180, 240), SIZE)
    # When the graph colours it, Then as the processor does
    graph = graphs.planes_graph(letterbox, 1, np.float32, normalise=False)
    found = _run(graph, **{graphs.FRAMES: packed(frame)[None], graphs.COLOURS: colours(frame)})
    expected = Batcher(1, SIZE, np.float32, 1)([scaled_rgb(frame, SIZE)])
    assert np.abs(found - expected).max() <= 3 / 255


@pytest.mark.parametrize("element", list(KINDS))
@pytest.mark.parametrize("normalise", [False, True])
def test_pictures_become_the_tensor_that_the_processor_makes(element, normalise):
    # Given two pictures of the network's size, When they are batched in the graph, Then as the processor does
    pictures = list(np.random.default_rng(1).integers(0, 255, (2, *SIZE, 3)).astype(np.uint8))
    graph = graphs.picture_graph(Letterbox(SIZE, SIZE), 2, element, normalise=normalise)
    found = _run(graph, **{graphs.FRAMES: np.stack(pictures)})
    expected = Batcher(2, SIZE, element, 1, normalise=normalise)(pictures)
    assert found.dtype == expected.dtype
    assert np.abs(found.astype(np.float64) - expected).max() <= (1e-2 if element is np.float16 else 1e-6)


def _raw(layout: Layout, seed: int, count: int, classes: int, frames: int = 3) -> np.ndarray:
    """A network's raw output: clusters of boxes around objects, with distinct scores."""
    random = np.random.default_rng(seed)
    middle = np.repeat(random.uniform(50, 550, (frames, count // 8 + 1, 2)), 8, axis=1)[:, :count]
    place = middle + random.normal(0, 4, (frames, count, 2))
    size = random.uniform(20, 60, (frames, count, 2))
    score = random.random((frames, count, classes)) ** 3
    kept = np.concatenate([place, size], axis=2)
    if layout is Layout.YOLOV8:
        return np.concatenate([kept, score], axis=2).transpose(0, 2, 1).astype(np.float32)
    sure = random.random((frames, count, 1))
    return np.concatenate([kept, sure, score], axis=2).astype(np.float32)


def _model(layout: Layout, classes: int, session: object = None, batch: int = 3) -> tuple[Card, object]:
    """A network of which only what its answers mean is known."""
    names = tuple(f"class{index}" for index in range(classes))
    card = Card(session, "images", ("output0",), "cpu", 0, ThreadPoolExecutor(1))
    return card, SimpleNamespace(layout=layout, names=names, batch=batch, input_type=np.float32)


def _suppressed(raw: np.ndarray, layout: Layout, options: TrackOptions, classes: int) -> list[Detections]:
    """By the graph, with the inputs that the inference gives it."""
    card, model = _model(layout, classes)
    inference = DeviceInference(card, model, Letterbox((640, 640), (640, 640)), options)
    graph = graphs.suppression_graph(layout, raw.dtype.type)
    return _split(_run(graph, **{graphs.OUTPUT: raw, **inference._limits()}), len(raw))


def _same(found: Detections, expected: Detections, tolerance: float = 1e-2) -> None:
    assert found.classes.tolist() == expected.classes.tolist()
    assert found.scores.tolist() == pytest.approx(expected.scores.tolist(), abs=1e-6)
    assert found.boxes.shape == expected.boxes.shape
    assert np.abs(found.boxes - expected.boxes).max(initial=0) < tolerance


@pytest.mark.parametrize("layout", [Layout.YOLOV5, Layout.YOLOV8])
@pytest.mark.parametrize(
    "options",
    [
        TrackOptions(confidence=0.1, iou=0.5),
        TrackOptions(confidence=0.01, iou=0.3, agnostic_nms=True),
        TrackOptions(confidence=0.2, iou=0.5, classes=(1, 3)),
        TrackOptions(confidence=0.2, iou=0.45, classes=(0,), agnostic_nms=True),
        TrackOptions(confidence=0.05, iou=0.9, maximum_detections=7),
        TrackOptions(confidence=0.9999),
    ],
    ids=["by class", "across classes", "some classes", "one class", "at most seven", "none"],
)
@pytest.mark.parametrize("seed", [1, 2])
def test_the_rows_that_survive_are_those_of_the_processor(layout, options, seed):
    # Given the raw output of three frames, one with boxes that are no numbers
    raw = _raw(layout, seed, 400, 5)
    bad = (1, slice(0, 4), slice(20, 40)) if layout is Layout.YOLOV8 else (1, slice(20, 40), slice(0, 4))
    raw[bad] = np.nan
    # When they are suppressed in the graph, Then each frame keeps what the processor keeps, best first
    for frame, found in enumerate(_suppressed(raw, layout, options, 5)):
        _same(found, read_output([raw[frame]], layout, options, (640, 640), 5))


def test_half_precision_is_read_in_full():
    raw = _raw(Layout.YOLOV8, 3, 200, 3).astype(np.float16)
    options = TrackOptions(confidence=0.3)
    for frame, found in enumerate(_suppressed(raw, Layout.YOLOV8, options, 3)):
        _same(found, read_output([raw[frame].astype(np.float32)], Layout.YOLOV8, options, (640, 640), 3))


def test_candidates_are_capped_there_too():
    # Given more boxes than the cap, far apart from each other
    count = MAXIMUM_CANDIDATES + 300
    raw = np.zeros((1, 5, count), np.float32)
    raw[0, 0], raw[0, 2:4] = np.arange(count) * 20, 10
    raw[0, 4] = np.linspace(0.2, 0.9, count)
    # When they are suppressed, Then the best of them are left
    options = TrackOptions(confidence=0.1, maximum_detections=10_000)
    (found,) = _suppressed(raw, Layout.YOLOV8, options, 1)
    assert len(found) == MAXIMUM_CANDIDATES
    assert found.scores.min() == pytest.approx(raw[0, 4, 300])


class _CardSession:
    """A session of the processor that says it runs on a card."""

    def __init__(self, model: str | bytes) -> None:
        self.session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
        self.runs = 0

    def get_providers(self) -> list[str]:
        return ["CUDAExecutionProvider", "CPUExecutionProvider"]

    def run_with_iobinding(self, binding) -> None:
        self.runs += 1
        self.session.run_with_iobinding(binding)

    def __getattr__(self, name: str):
        return getattr(self.session, name)


@pytest.fixture
def card(monkeypatch) -> None:
    """A machine whose ONNX Runtime has a card, whose memory is the processor's."""
    monkeypatch.setattr(
        "shoal_worker.onnxbackend.open_session", lambda path, device, threads, *, half: _CardSession(path)
    )
    monkeypatch.setattr("shoal_worker.onnxbackend.bound_device", lambda device: ("cpu", 0))
    monkeypatch.setattr("shoal_worker.model.preferred_provider", lambda device: "CUDAExecutionProvider")


OPTIONS = "--conf-thres 0.8 --iou-thres 0.2"


def _tracked(folder: Path, video: Path, output: str) -> dict[tuple[int, str], list[float]]:
    """The boxes of a video, by frame and label, as shares of the picture."""
    result = track_video(video, Detector(folder / "m.onnx"), folder / output, options=OPTIONS)
    rows = read_archive(result.archive).detections
    return {(row["frame"], row["label"]): [row[key] for key in ("x", "y", "xx", "xy")] for row in rows}


@pytest.mark.parametrize("kind", ["float", "half", "uint8"])
@pytest.mark.parametrize("layout", ["yolov5", "yolov8", "end2end", "rfdetr"])
def test_a_device_gives_the_tracks_that_the_processor_does(tmp_path, card, monkeypatch, layout, kind):
    # Given a video larger than the network's input, and networks of every kind of element
    def scene(number: int) -> np.ndarray:
        return picture([(56 + 16 * number, 56, 0)], size=(192, 320), side=64)

    video = write_video(tmp_path / "a.mp4", 9, scene)
    write_model(tmp_path / "m.onnx", layout, kind=kind)
    on_card = _tracked(tmp_path, video, "card")
    # When it is tracked on a card and on the processor
    monkeypatch.undo()
    expected = _tracked(tmp_path, video, "processor")
    # Then every box is the same, to a tenth of a pixel
    assert on_card.keys() == expected.keys()
    assert len(on_card) == 9
    for key, box in on_card.items():
        assert box == pytest.approx(expected[key], abs=0.1 / 320)


def _brightness(batch: int) -> bytes:
    """A network that sees one box in every frame, as surely as the frame is bright."""
    graph = Graph("brightness")
    graph.input("images", np.float32, (batch, 3, *SIZE))
    mean = graph.node("ReduceMean", "images", axes=[1, 2], keepdims=0)
    score = graph.node("ReduceMean", mean, axes=[1], keepdims=1)
    box = graph.constant(np.full((batch, 4, 1), 30), np.float32)
    tall = graph.node("Unsqueeze", score, graph.constant([2], np.int64))
    return graph.model(graph.node("Concat", box, tall, output="output0", axis=1), np.float32, (batch, 5, 1))


def test_a_decoder_may_change_its_format_within_a_batch():
    # Given a network of four frames at once, and grey frames in formats that its device scales and not
    session = onnxruntime.InferenceSession(_brightness(4), providers=["CPUExecutionProvider"])
    card, model = _model(Layout.YOLOV8, 1, session, batch=4)
    letterbox = Letterbox((192, 256), SIZE)
    prepared, batch = Preparing(letterbox, None, camera=False, unscaled=True), []
    for kind, grey in (("yuv420p", 50), ("yuv444p", 100), ("nv12", 150)):
        frame = av.VideoFrame.from_ndarray(np.full((192, 256, 3), grey, np.uint8), format="rgb24")
        batch.append(prepared(frame.reformat(format=kind)))
    assert [frame.picture.ndim for frame in batch] == [2, 3, 2]
    # When they go through it in one batch that is not full, Then each has its own answer, in order
    inference = DeviceInference(card, model, letterbox, TrackOptions())
    scores = [float(found.scores[0]) for found in inference.submit(batch)()]
    assert scores == pytest.approx([50 / 255, 100 / 255, 150 / 255], abs=0.01)


def test_only_what_a_device_can_scale_is_handed_over_as_it_is(tmp_path):
    # Given videos with even sides, odd sides, and ten bits
    def scene(number: int) -> np.ndarray:
        return cv2.resize(picture([(40 + number, 40, 0)]), (160, 96))

    video = write_video(tmp_path / "a.mp4", 3, scene)
    letterbox = Letterbox((96, 160), SIZE)
    # When one is decoded for a device, Then frames come whole, with the way to their colours
    (first, *_) = list(Decoding(video, lambda frame: letterbox, unscaled=True))
    assert (first.picture.shape, first.colours.shape) == ((144, 160), (3, 4))
    (first, *_) = list(Decoding(video, lambda frame: letterbox))
    assert (first.picture.shape, first.colours) == ((*SIZE, 3), None)
    # And not where the format or the sides do not allow it
    assert packed(_frame("yuv420p10le")) is None
    assert packed(_frame("yuv420p", size=(180, 239))) is None


def test_graphs_are_kept_and_few(tmp_path, card):
    # Given a network of any size, When pictures of many sizes are shown, twice each
    detector = Detector(write_model(tmp_path / "m.onnx", "yolov8", size=None))
    for side in (*range(96, 96 + 32 * 12, 32), 96):
        for _ in range(2):
            detector.detect(picture([(44, 36, 0)], size=(96, side)), TrackOptions(confidence=0.6, iou=0.2))
    # Then only some of their graphs are kept
    assert len(detector.model.backend.card.graphs) == MOST_GRAPHS


def test_what_cannot_run_is_a_model_error(tmp_path, card):
    model = Detector(write_model(tmp_path / "m.onnx", "yolov8")).model
    inference = open_inference(model, Letterbox((64, 64), (64, 64)), TrackOptions())
    with pytest.raises(ModelError, match="cannot run on its device"):
        inference.submit([Prepared(np.zeros((64, 64, 3), np.uint8), None)])()


def test_a_graph_may_hold_every_kind_of_attribute():
    # Given a graph with text, numbers and lists as attributes, and a negative number
    graph = Graph("all")
    source = graph.input("x", np.float32, ("n", 2))
    scaled = graph.node("LeakyRelu", source, alpha=0.25)
    turned = graph.node("Transpose", scaled, perm=[1, 0])
    total = graph.node("ReduceSum", turned, graph.constant([-1], np.int64), keepdims=0)
    graph.node("Pad", total, graph.constant([1, 0], np.int64), output="y", mode="constant")
    # When it runs, Then it does what it says
    found = _run(graph.model("y", np.float32, ("m",)), x=np.float32([[1, -4], [2, 8]]))
    assert found.tolist() == [0, 3, 7]
