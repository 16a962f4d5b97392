"""What runs where: decoders and providers are chosen by pure functions; who refuses has a stand-in."""

from __future__ import annotations

import sys
import types
from pathlib import Path

import av
import numpy as np
import pytest
from shoal_worker import Detector, TrackOptions, track_video
from shoal_worker.hardware import Installed, decoding_device, installed, nvcodec_card
from shoal_worker.onnxbackend import _precision
from shoal_worker.preprocess import Batcher
from shoal_worker.providers import choose_providers, engine_folder, provider_options
from shoal_worker.video import VideoReader
from tiny_models import write_model
from tiny_videos import picture, write_video

CPU, CUDA, TENSORRT = "CPUExecutionProvider", "CUDAExecutionProvider", "TensorrtExecutionProvider"
BOTH = Installed(nvcodec=True, ffmpeg=frozenset({"cuda", "vaapi"}))
FFMPEG = Installed(nvcodec=False, ffmpeg=frozenset({"cuda"}))
NEITHER = Installed(nvcodec=False, ffmpeg=frozenset({"vaapi"}))


@pytest.mark.parametrize(
    ("provider", "device", "here", "decoders", "expected"),
    [
        (CPU, None, BOTH, 1, None),
        ("OpenVINO CPU", "openvino", BOTH, 1, None),
        (CUDA, None, BOTH, 1, "pynvvideocodec"),
        (CUDA, "cuda:1", BOTH, 1, "pynvvideocodec:1"),
        (CUDA, "cuda:1", BOTH, 2, "cuda:1"),
        (TENSORRT, "tensorrt:2", BOTH, 1, "pynvvideocodec:2"),
        (CUDA, None, FFMPEG, 1, "cuda"),
        (TENSORRT, "tensorrt:2", FFMPEG, 1, "cuda:2"),
        (CUDA, "cuda:1", NEITHER, 1, None),
    ],
)
def test_the_best_decoder_that_is_installed_is_on_the_network_s_card(
    provider, device, here, decoders, expected
):
    assert decoding_device(provider, device, here, decoders) == expected


def test_what_is_installed_is_looked_up(monkeypatch):
    # Given a machine with PyNvVideoCodec and an FFmpeg that knows no device
    monkeypatch.setattr(
        "importlib.util.find_spec", lambda name: object() if name == "PyNvVideoCodec" else None
    )
    monkeypatch.setattr("shoal_worker.hardware.hwdevices_available", list)
    assert installed() == Installed(nvcodec=True, ffmpeg=frozenset())


@pytest.mark.parametrize(
    ("device", "card"), [(None, None), ("cuda:1", None), ("pynvvideocodec", 0), ("pynvvideocodec:3", 3)]
)
def test_a_card_is_read_from_its_name(device, card):
    assert nvcodec_card(device) == card


class _LibraryError(Exception):
    """Of the library itself: no base that anyone knows."""


class _Library(types.ModuleType):
    """PyNvVideoCodec as its pages describe it, over FFmpeg: frames lie in buffers that are used again."""

    def __init__(self, refuses_at: int | None = None) -> None:
        super().__init__("PyNvVideoCodec")
        self.refuses_at, self.asked = refuses_at, []
        self.PyNvVCException, self.OutputColorType = _LibraryError, types.SimpleNamespace(NATIVE="native")

    def SimpleDecoder(self, path: str, **options):
        if self.refuses_at == 0:
            raise _LibraryError("no CUDA-capable device is detected")
        self.asked.append(options)
        with av.open(path) as container:
            frames = [frame.to_ndarray(format="nv12") for frame in container.decode(video=0)]
        return _Decoder(self, frames)


class _Decoder:
    def __init__(self, library: _Library, frames: list[np.ndarray]) -> None:
        self._library, self._frames, self._next = library, frames, 0
        self._buffers = [np.empty_like(frames[0]) for _ in range(8)]

    def __len__(self) -> int:
        return len(self._frames)

    def get_batch_frames(self, count: int) -> list[np.ndarray]:
        some = self._frames[self._next : self._next + count]
        self._next += len(some)
        if self._library.refuses_at and self._next > self._library.refuses_at:
            raise _LibraryError("CUDA_ERROR_UNKNOWN")
        for buffer, frame in zip(self._buffers, some, strict=False):
            buffer[:] = frame
        return self._buffers[: len(some)]


def _scene(number: int) -> np.ndarray:
    return picture([(40 + 2 * number, 40, number % 3)])


def _shown(video: Path, hardware: str | None) -> tuple[list[tuple[bytes, int, int]], str, int]:
    with VideoReader(video, hardware=hardware) as reader:
        frames = [
            (frame.to_ndarray(format="nv12").tobytes(), int(frame.colorspace), int(frame.color_range))
            for frame in reader.decoded()
        ]
        return frames, reader.decoder, reader.damaged


@pytest.fixture
def video(tmp_path) -> Path:
    return write_video(tmp_path / "a.mp4", 20, _scene, codec="libx264")


def test_the_library_s_frames_are_ffmpeg_s(video, monkeypatch):
    # Given PyNvVideoCodec, whose buffers are used again
    library = _Library()
    monkeypatch.setitem(sys.modules, "PyNvVideoCodec", library)
    # When a video is read through it, Then every frame is there once, in order, and it is named
    frames, decoder, damaged = _shown(video, "pynvvideocodec:1")
    assert (frames, damaged) == (_shown(video, None)[0], 0)
    assert decoder == "h264 (PyNvVideoCodec)"
    assert library.asked == [{"gpu_id": 1, "use_device_memory": False, "output_color_type": "native"}]


@pytest.mark.parametrize("library", [None, _Library(refuses_at=0)], ids=["not there", "no card"])
def test_where_it_refuses_the_next_decoder_takes_over(video, monkeypatch, library):
    # Given a machine without the library, or without its card
    monkeypatch.setitem(sys.modules, "PyNvVideoCodec", library)
    # When a video is read, Then FFmpeg reads all of it, and is named
    frames, decoder, _ = _shown(video, "pynvvideocodec")
    assert (frames, decoder) == (_shown(video, None)[0], "h264")


@pytest.mark.parametrize(("refuses_at", "expected"), [(None, [None]), (0, [None, "pynvvideocodec"])])
def test_ffmpeg_s_accelerator_is_opened_only_where_the_library_refuses(
    video, monkeypatch, refuses_at, expected
):
    # Given a file whose stream would be the accelerator's, not the library's, were both opened at once
    opened = []
    monkeypatch.setitem(sys.modules, "PyNvVideoCodec", _Library(refuses_at=refuses_at))
    monkeypatch.setattr("shoal_worker.container.accelerator", opened.append)
    # When
    frames, _, _ = _shown(video, "pynvvideocodec")
    # Then
    assert (len(frames), opened) == (20, expected)


def test_a_card_that_gives_up_half_way_ends_the_video_as_damaged(video, monkeypatch):
    monkeypatch.setitem(sys.modules, "PyNvVideoCodec", _Library(refuses_at=10))
    frames, _, damaged = _shown(video, "pynvvideocodec")
    assert (len(frames), damaged) == (8, 1)


def test_what_it_cannot_hand_over_as_eight_bits_goes_through_ffmpeg(tmp_path, monkeypatch):
    # Given a picture with an odd side
    monkeypatch.setitem(sys.modules, "PyNvVideoCodec", _Library())
    with av.open(str(tmp_path / "odd.mkv"), "w") as container:
        stream = container.add_stream("ffv1", rate=30)
        stream.width, stream.height, stream.pix_fmt = 63, 48, "yuv420p"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(_scene(1)[:48, :63], format="rgb24")))
        container.mux(stream.encode(None))
    # When it is read, Then FFmpeg does it
    with VideoReader(tmp_path / "odd.mkv", hardware="pynvvideocodec") as reader:
        assert (sum(1 for _ in reader), reader.decoder) == (1, "ffv1")


def test_the_archive_names_the_decoder(video, tmp_path, monkeypatch):
    # Given a network that says that it runs on a card, and PyNvVideoCodec
    monkeypatch.setitem(sys.modules, "PyNvVideoCodec", _Library())
    monkeypatch.setattr("shoal_worker.run.installed", lambda: BOTH)
    detector = Detector(write_model(tmp_path / "m.onnx", "yolov8"))
    monkeypatch.setattr("shoal_worker.run.decoding_device", lambda *_: decoding_device(CUDA, None, BOTH))
    # When a video is tracked, Then the result says what decoded
    result = track_video(video, detector, tmp_path, options=TrackOptions(confidence=0.6))
    assert result.backend.endswith("decoded by h264 (PyNvVideoCodec)")


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"SHOAL_WORK_DIR": "/scratch", "HOME": "/home/a"}, "/scratch/engines/onnxruntime-1.31.1"),
        ({"XDG_CACHE_HOME": "/cache", "HOME": "/home/a"}, "/cache/shoal/engines/onnxruntime-1.31.1"),
        ({"HOME": "/home/a"}, "/home/a/.cache/shoal/engines/onnxruntime-1.31.1"),
        ({}, None),
    ],
)
def test_engines_have_a_folder_for_each_version_of_the_runtime(environment, expected):
    assert engine_folder(environment, "1.31.1") == (Path(expected) if expected else None)


@pytest.mark.parametrize("half", [False, True])
def test_tensorrt_keeps_its_engines_and_computes_in_16_bits_only_where_asked(half):
    options = provider_options(TENSORRT, 2, half=half, engines=Path("/cache"))
    assert options == {
        "device_id": 2, "trt_fp16_enable": half,
        "trt_engine_cache_enable": True, "trt_engine_cache_path": "/cache",
        "trt_timing_cache_enable": True, "trt_timing_cache_path": "/cache",
    }  # fmt: skip
    assert provider_options(TENSORRT, 0, half=half) == {"device_id": 0, "trt_fp16_enable": half}


@pytest.mark.parametrize(
    ("name", "expected"),
    [(CPU, {}), (CUDA, {"device_id": 1, "cudnn_conv_algo_search": "HEURISTIC"})],
)
def test_the_other_providers_options(name, expected):
    assert provider_options(name, 1, half=True, engines=Path("/cache")) == expected


def test_every_provider_in_the_chain_has_its_own_options():
    chosen = dict(choose_providers("tensorrt:1", [TENSORRT, CUDA, CPU], half=True, engines=Path("/e")))
    assert list(chosen) == [TENSORRT, CUDA, CPU]
    assert (chosen[TENSORRT]["trt_fp16_enable"], chosen[CUDA]["device_id"], chosen[CPU]) == (True, 1, {})


@pytest.mark.parametrize(
    ("provider", "element", "half", "expected"),
    [
        (TENSORRT, "tensor(float)", False, "float32"),
        (TENSORRT, "tensor(float)", True, "float16"),
        (CUDA, "tensor(float)", True, "float32"),
        (CUDA, "tensor(float16)", False, "float16"),
    ],
)
def test_the_precision_is_what_is_computed_in(provider, element, half, expected):
    assert _precision(provider, element, half=half) == expected


@pytest.mark.parametrize("normalise", [False, True])
def test_half_precision_is_rounded_once(normalise):
    # Given every value that a pixel can have, for a network in 16 bits and one in 32
    image = np.repeat(np.arange(256, dtype=np.uint8).reshape(16, 16, 1), 3, axis=2)
    short, full = (Batcher(1, (16, 16), kind, 1, normalise=normalise) for kind in (np.float16, np.float32))
    # When both are batched, Then the short numbers are the long ones rounded to the nearest
    expected = full([image]).astype(np.float16)
    assert np.array_equal(short([image]), expected) or np.abs(short([image]) - expected).max() <= 1e-3
    if not normalise:
        assert np.array_equal(short([image]), expected)
