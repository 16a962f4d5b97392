"""Which ONNX Runtime execution provider runs the model: one function for a laptop and for a GPU instance."""

from __future__ import annotations

from typing import Any

import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as native

from shoal_worker.errors import ModelError

SESSION_ERRORS: tuple[type[Exception], ...] = (
    native.Fail, native.InvalidGraph, native.InvalidProtobuf, native.InvalidArgument, native.NotImplemented,
    native.NoSuchFile, native.RuntimeException, ValueError, RuntimeError,
)  # fmt: skip
"""ONNX Runtime's own errors share no base but Exception."""

_NAMES = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
}


def choose_providers(device: str | None, available: list[str]) -> list[tuple[str, dict[str, Any]]]:
    """Providers in order of preference, each followed by what it falls back to.

    ``device`` is None (the best of CUDA and CPU), ``cpu``, ``cuda``, ``tensorrt``, or these with
    ``:<index>``. TensorRT is used only when it is named: it builds an engine for minutes before the first
    frame.

    Raises:
        ModelError: the device is not one of these, or this installation of ONNX Runtime lacks it.
    """
    kind, _, index = (device or "").lower().partition(":")
    if not kind:
        kind = "cuda" if _NAMES["cuda"] in available else "cpu"
    if kind not in _NAMES or (index and not index.isdigit()):
        raise ModelError(f"the device {device!r} is not known: use cpu, cuda, cuda:<index> or tensorrt")
    if _NAMES[kind] not in available:
        raise ModelError(
            f"this ONNX Runtime has no {_NAMES[kind]}: install onnxruntime-gpu, or use the device cpu"
        )
    wanted = {"tensorrt": ["tensorrt", "cuda", "cpu"], "cuda": ["cuda", "cpu"], "cpu": ["cpu"]}[kind]
    names = [_NAMES[name] for name in wanted if _NAMES[name] in available]
    return [(name, _provider_options(name, int(index or 0))) for name in names]


def open_session(model: str, device: str | None = None, threads: int = 0) -> onnxruntime.InferenceSession:
    """A session on the chosen device; ``threads`` 0 leaves the number to ONNX Runtime.

    Raises:
        ModelError: the file is not a model that ONNX Runtime can load, or a named GPU did not come up.
    """
    providers = choose_providers(device, onnxruntime.get_available_providers())
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = threads
    settings.log_severity_level = 3
    # Threads that spin while they wait take the processor from the decoder.
    settings.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        session = onnxruntime.InferenceSession(model, settings, providers=providers)
    except SESSION_ERRORS as error:
        raise ModelError(
            f"ONNX Runtime cannot load the model: {error}. Export it again with a recent opset"
        ) from error
    if device and session.get_providers()[0] != providers[0][0]:
        raise ModelError(f"{providers[0][0]} did not come up: check the GPU's driver, or use the device cpu")
    return session


def has_gpu() -> bool:
    """Whether this installation of ONNX Runtime can use a GPU at all."""
    return _NAMES["cuda"] in onnxruntime.get_available_providers()


def preferred_provider(device: str | None) -> str:
    """The provider that a session on ``device`` should run on; raises ModelError as ``choose_providers``
    does."""
    return choose_providers(device, onnxruntime.get_available_providers())[0][0]


def _provider_options(name: str, index: int) -> dict[str, Any]:
    if name == _NAMES["cpu"]:
        return {}
    if name == _NAMES["tensorrt"]:
        return {"device_id": index, "trt_fp16_enable": True, "trt_engine_cache_enable": True}
    return {"device_id": index, "cudnn_conv_algo_search": "HEURISTIC"}
