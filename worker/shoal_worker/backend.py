"""What runs a network: one small protocol over ONNX Runtime and OpenVINO, and the choice between them."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy.typing as npt

from shoal_worker.errors import ModelError
from shoal_worker.frames import Floats

Tensor = npt.NDArray[Any]
Pending = Callable[[], Sequence[Floats]]
"""Waits for one submitted batch and answers its outputs in the order asked for; call it once."""


@dataclass(frozen=True, slots=True)
class Card:
    """A network on a device with memory of its own: ONNX Runtime's session, the names of its input and of the
    outputs that are read, its name and number for the runtime, and the one thread that it is used from.
    ``graphs`` are the sessions of our own graphs beside it, kept for the next video."""

    session: Any
    source: str
    outputs: tuple[str, ...]
    device: str
    index: int
    thread: Executor
    graphs: dict[tuple[Any, ...], Any] = field(default_factory=dict)


class Backend(Protocol):
    """A loaded network. ``submit`` may be called from several threads.

    ``provider`` names the library's part that runs, ``precision`` what it computes in. Up to ``depth``
    batches may be under way before a result is asked for; ``batch`` is how many frames at once pay here.
    ``card`` is the device with memory of its own on which it runs, or None.
    """

    @property
    def provider(self) -> str: ...
    @property
    def precision(self) -> str: ...
    @property
    def depth(self) -> int: ...
    @property
    def batch(self) -> int: ...
    @property
    def card(self) -> Card | None: ...

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

    return OnnxBackend(path, outputs, device, threads, half=half)


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
