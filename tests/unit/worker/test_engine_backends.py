"""Backends: the GPU's path on the processor's buffers, and OpenVINO's behind a library that pretends."""

from __future__ import annotations

import sys
import threading
import types
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from shoal_worker import Detector, TrackOptions, track_video
from shoal_worker import backend as backends
from shoal_worker.errors import ModelError
from shoal_worker.onnxbackend import GPU_BATCH, OnnxBackend, bound_device, run_bound
from tiny_models import write_model
from tiny_videos import picture, write_video

SQUARES = [(44, 36, 0), (108, 60, 2)]
OPTIONS = TrackOptions(confidence=0.8, iou=0.2)


class _CardSession:
    """A session of the processor that says it runs on a card, and counts how it is run."""

    def __init__(self, path: str) -> None:
        self._session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        self.runs: list[str] = []

    def get_providers(self) -> list[str]:
        return ["CUDAExecutionProvider", "CPUExecutionProvider"]

    def get_inputs(self):
        return self._session.get_inputs()

    def get_outputs(self):
        return self._session.get_outputs()

    def io_binding(self):
        return self._session.io_binding()

    def run_with_iobinding(self, binding) -> None:
        self.runs.append("bound")
        self._session.run_with_iobinding(binding)


@pytest.fixture
def card(monkeypatch) -> list[_CardSession]:
    """A machine whose ONNX Runtime has a card, whose memory is the processor's."""
    sessions: list[_CardSession] = []

    def opened(path: str, device: str | None, threads: int, *, half: bool) -> _CardSession:
        sessions.append(_CardSession(path))
        return sessions[-1]

    monkeypatch.setattr("shoal_worker.onnxbackend.open_session", opened)
    monkeypatch.setattr("shoal_worker.onnxbackend.bound_device", lambda device: ("cpu", 0))
    monkeypatch.setattr("shoal_worker.model.preferred_provider", lambda device: "CUDAExecutionProvider")
    return sessions


def test_a_bound_run_answers_what_a_plain_one_does(tmp_path):
    # Given a session and a picture
    path = write_model(tmp_path / "m.onnx", "yolov8")
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    tensor = np.random.default_rng(1).random((1, 3, 96, 160), np.float32)
    # When it runs with its buffers bound, Then the numbers are those of a plain run
    bound = run_bound(session, ["output0"], tensor, "cpu", 0)
    assert np.array_equal(bound[0], session.run(["output0"], {"images": tensor})[0])


@pytest.mark.parametrize(
    ("device", "expected"), [(None, ("cuda", 0)), ("cuda:1", ("cuda", 1)), ("tensorrt:2", ("cuda", 2))]
)
def test_buffers_are_bound_on_the_card_that_was_named(device, expected):
    assert bound_device(device) == expected


def test_a_video_goes_through_the_card_s_path(tmp_path, card):
    # Given a card, and a model of a fixed batch of one
    path = write_model(tmp_path / "m.onnx", "yolov8")
    video = write_video(tmp_path / "a.mp4", 12, lambda number: picture([(28 + 2 * number, 28, 0)]))
    # When a video is tracked
    result = track_video(video, Detector(path), tmp_path, options="--conf-thres 0.6 --iou-thres 0.2")
    # Then every frame and the trial run went through bound buffers, and the result says what ran
    assert (result.frames, result.tracks) == (12, 1)
    assert card[0].runs == ["bound"] * 13
    assert result.backend.startswith("CUDAExecutionProvider in float32")


def test_a_card_takes_many_frames_at_once_where_the_model_does(tmp_path, card):
    backend = OnnxBackend(write_model(tmp_path / "m.onnx", "yolov8"), ["output0"], None, 0)
    assert (backend.batch, backend.depth) == (GPU_BATCH, 2)


class _Request:
    def __init__(self, session) -> None:
        self._session, self._out = session, {}

    def start_async(self, inputs, share_inputs: bool) -> None:
        assert share_inputs
        if inputs[0].shape[1] != 3:
            raise RuntimeError("Can't set the input tensor")
        names = [output.name for output in self._session.get_outputs()]
        self._out = dict(zip(names, self._session.run(names, {"images": inputs[0]}), strict=True))

    def wait(self) -> None:
        """Done already."""

    def get_tensor(self, name: str):
        return types.SimpleNamespace(data=self._out[name])


class _Network:
    """What ``read_model`` answers: ONNX Runtime behind OpenVINO's words."""

    def __init__(self, path: str) -> None:
        self.session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        dynamic = any(not isinstance(side, int) for side in self.session.get_inputs()[0].shape)
        partial = types.SimpleNamespace(is_dynamic=dynamic)
        self.inputs = [types.SimpleNamespace(get_partial_shape=lambda: partial)]
        self.reshaped: list[list[int]] = []

    def reshape(self, shapes) -> None:
        self.reshaped.append(shapes[0])


class _Core:
    settings: list[dict]
    capabilities: tuple[str, ...]

    def get_property(self, device: str, name: str):
        return self.capabilities

    def read_model(self, path: str) -> _Network:
        if Path(path).stat().st_size > 10**6:
            raise RuntimeError("Unsupported operation")
        return _Network(path)

    def compile_model(self, network: _Network, device: str, settings: dict):
        self.settings.append(settings)
        return types.SimpleNamespace(
            get_property=lambda name: 2, create_infer_request=lambda: _Request(network.session)
        )


@pytest.fixture(params=[("FP32", "BF16"), ("FP32",)], ids=["with bfloat16", "without"])
def openvino(request, monkeypatch):
    """A machine with OpenVINO; its processor has bfloat16, or has not."""
    core = type("Core", (_Core,), {"settings": [], "capabilities": request.param})
    module = types.ModuleType("openvino")
    module.Core = core
    monkeypatch.setitem(sys.modules, "openvino", module)
    monkeypatch.delitem(sys.modules, "shoal_worker.openvinobackend", raising=False)
    yield core
    sys.modules.pop("shoal_worker.openvinobackend", None)


@pytest.mark.parametrize("half", [False, True])
def test_openvino_finds_the_same_and_says_its_precision(tmp_path, openvino, half):
    # Given OpenVINO on a processor, asked for 16 bits or not
    detector = Detector(write_model(tmp_path / "m.onnx", "yolov8"), device="openvino", half=half)
    # When a picture is shown
    found = detector.detect(picture(SQUARES), OPTIONS)
    # Then the squares are found, and the precision is what the processor can do
    assert sorted(found.boxes.round().tolist()) == [[28, 20, 60, 52], [92, 44, 124, 76]]
    short = half and "BF16" in openvino.capabilities
    assert detector.model.description.precision == ("bfloat16" if short else "float32")
    assert openvino.settings[0]["INFERENCE_PRECISION_HINT"] == ("bf16" if short else "f32")
    noted = any(note.startswith("--half") for note in detector.notes(TrackOptions(half=half)))
    assert noted == (half and not short)


def test_openvino_compiles_once_for_each_shape(tmp_path, openvino):
    # Given a model of any size
    detector = Detector(write_model(tmp_path / "m.onnx", "yolov8", size=None), device="openvino")
    # When pictures of two sizes are shown by turns, Then each size was compiled once
    for size in ((96, 160), (160, 96), (96, 160), (160, 96)):
        detector.detect(picture([(44, 36, 0)], size=size), OPTIONS)
    assert len(openvino.settings) == 2


def test_what_openvino_cannot_run_is_a_model_error(tmp_path, openvino):
    path = write_model(tmp_path / "m.onnx", "yolov8")
    detector = Detector(path, device="openvino")
    with pytest.raises(ModelError, match="cannot run"):
        detector.model.backend.submit(np.zeros((1, 4, 8, 8), np.float32))
    with path.open("ab") as stream:
        stream.write(b"\xfa\x01\x80\x89\x7a" + b"x" * 2_000_000)
    with pytest.raises(ModelError, match="OpenVINO cannot load"):
        Detector(path, device="openvino")


def test_a_failed_request_is_free_again(tmp_path, openvino):
    # Given two requests and one to spare, When more than that fail, Then the next one still runs
    detector = Detector(write_model(tmp_path / "m.onnx", "yolov8", size=None), device="openvino")
    done = threading.Event()

    def look() -> None:
        for _ in range(8):
            with pytest.raises(ModelError):
                detector.model.backend.submit(np.zeros((1, 4, 96, 160), np.float32))
        done.set()

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    assert done.wait(20)


def test_videos_side_by_side_do_not_wait_for_each_other_s_requests(tmp_path, openvino):
    # Given a network of two requests and one to spare, and videos that take none back before the next is in
    detector = Detector(write_model(tmp_path / "m.onnx", "yolov8", size=None), device="openvino")
    tensor, answers = np.zeros((1, 3, 96, 160), np.float32), []

    def submit() -> None:
        answers.extend(detector.model.backend.submit(tensor) for _ in range(6))

    # When more are under way than there are requests, Then nobody waits, and all are answered
    thread = threading.Thread(target=submit, daemon=True)
    thread.start()
    thread.join(20)
    assert [len(answer()) for answer in answers] == [1] * 6


@pytest.mark.parametrize(
    ("device", "installed", "gpu", "expected"),
    [
        (None, True, False, "openvino"),
        (None, True, True, None),
        (None, False, False, None),
        ("cpu", True, False, "cpu"),
        ("OpenVINO", False, False, "openvino"),
    ],
)
def test_the_best_that_is_installed_is_taken(monkeypatch, device, installed, gpu, expected):
    found = object() if installed else None
    monkeypatch.setattr(backends.importlib.util, "find_spec", lambda name: found)
    monkeypatch.setattr("shoal_worker.providers.has_gpu", lambda: gpu)
    assert backends.chosen_device(device) == expected


def test_openvino_that_is_not_installed_is_said(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "openvino", None)
    sys.modules.pop("shoal_worker.openvinobackend", None)
    with pytest.raises(ModelError, match="pip install openvino"):
        Detector(write_model(tmp_path / "m.onnx", "yolov8"), device="openvino")
