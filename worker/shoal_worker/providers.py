"""Which ONNX Runtime execution provider runs the model: one function for a laptop and for a GPU instance."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
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


def choose_providers(
    device: str | None, available: list[str], *, half: bool = False, engines: Path | None = None
) -> list[tuple[str, dict[str, Any]]]:
    """Providers in order of preference, each followed by what it falls back to.

    ``device`` is None (the best of CUDA and CPU), ``cpu``, ``cuda``, ``tensorrt``, or these with
    ``:<index>``. TensorRT is used only when it is named: it builds an engine for minutes before the first
    frame, in 16 bits where ``half`` asks for it, and keeps it in the folder ``engines``.

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
    return [(name, provider_options(name, int(index or 0), half=half, engines=engines)) for name in names]


def open_session(
    model: str | bytes, device: str | None = None, threads: int = 0, *, half: bool = False
) -> onnxruntime.InferenceSession:
    """A session over a file or its content on the chosen device; ``threads`` 0 leaves the number to ONNX
    Runtime.

    Raises:
        ModelError: the file is not a model that ONNX Runtime can load, or a named GPU did not come up.
    """
    available, engines = onnxruntime.get_available_providers(), None
    if (device or "").lower().startswith("tensorrt"):
        engines = engine_folder(os.environ, onnxruntime.__version__)
    providers = choose_providers(device, available, half=half, engines=engines)
    if engines is not None:
        engines.mkdir(parents=True, exist_ok=True, mode=0o700)
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


def engine_folder(environment: Mapping[str, str], version: str) -> Path | None:
    """Where TensorRT's engines are kept: below the worker's own folder, or the person's cache; None where
    there is neither.

    The runtime names an engine by its network, precision and kind of card; an engine of another TensorRT
    cannot be read, so every version of the runtime has a folder of its own.
    """
    work, cache, home = (environment.get(name) for name in ("SHOAL_WORK_DIR", "XDG_CACHE_HOME", "HOME"))
    if work:
        base = Path(work)
    elif cache or home:
        base = Path(cache or f"{home}/.cache") / "shoal"
    else:
        return None
    return base / "engines" / f"onnxruntime-{version}"


def provider_options(
    name: str, index: int, *, half: bool = False, engines: Path | None = None
) -> dict[str, Any]:
    """One provider's options on the card ``index``; without ``engines`` TensorRT keeps nothing.

    Source: https://onnxruntime.ai/docs/execution-providers/
    """
    if name == _NAMES["cpu"]:
        return {}
    if name == _NAMES["cuda"]:
        return {"device_id": index, "cudnn_conv_algo_search": "HEURISTIC"}
    options: dict[str, Any] = {"device_id": index, "trt_fp16_enable": half}
    if engines is not None:
        options |= {
            "trt_engine_cache_enable": True, "trt_engine_cache_path": str(engines),
            "trt_timing_cache_enable": True, "trt_timing_cache_path": str(engines),
        }  # fmt: skip
    return options
