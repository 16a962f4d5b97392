"""What runs a network: one small protocol over ONNX Runtime and OpenVINO, and the choice between them."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy.typing as npt

from shoal_worker.errors import ModelError
from shoal_worker.frames import Floats

Tensor = npt.NDArray[Any]
Pending = Callable[[], Sequence[Floats]]
"""Waits for one submitted batch and answers its outputs in the order asked for; call it once."""


class Backend(Protocol):
    """A loaded network. ``submit`` may be called from several threads.

    ``provider`` names the library's part that runs, ``precision`` what it computes in. Up to ``depth``
    batches may be under way before a result is asked for; ``batch`` is how many frames at once pay here.
    """

    @property
    def provider(self) -> str: ...
    @property
    def precision(self) -> str: ...
    @property
    def depth(self) -> int: ...
    @property
    def batch(self) -> int: ...

    def submit(self, tensor: Tensor) -> Pending:
        """Start one batch (b, 3, height, width); the tensor is not to be changed until the result is taken.

        Raises (here or when the result is taken):
            ModelError: the network cannot run on it.
        """


def open_backend(
    path: Path, outputs: Sequence[str], device: str | None = None, threads: int = 0, *, half: bool = False
) -> Backend:
    """The backend for ``device``: ``openvino``, or what ``providers.choose_providers`` takes.

    None is a GPU where there is one, OpenVINO where it is installed, and ONNX Runtime otherwise. ``half``
    asks for 16-bit arithmetic where the device has it. ``threads`` 0 leaves their number to the backend.

    Raises:
        ModelError: the device is not known or not there, or the file is no model it can load.
    """
    if chosen_device(device) == "openvino":
        return _openvino(path, outputs, threads, half=half)
    from shoal_worker.onnxbackend import OnnxBackend

    return OnnxBackend(path, outputs, device, threads)


def _openvino(path: Path, outputs: Sequence[str], threads: int, *, half: bool) -> Backend:
    try:
        from shoal_worker.openvinobackend import OpenVinoBackend
    except ImportError as error:
        raise ModelError(
            "OpenVINO is not installed: `pip install openvino`, or use the device cpu"
        ) from error
    return OpenVinoBackend(path, outputs, threads, half=half)


def chosen_device(device: str | None) -> str | None:
    """``device``, or for None the best installed one: None again means that ONNX Runtime chooses."""
    if device:
        return device.lower()
    from shoal_worker.providers import has_gpu

    installed = importlib.util.find_spec("openvino") is not None
    return "openvino" if installed and not has_gpu() else None
