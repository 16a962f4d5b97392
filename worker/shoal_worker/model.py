"""An ONNX detector: its session, and what it says about itself."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime

from shoal_worker.errors import ModelError
from shoal_worker.frames import Floats
from shoal_worker.layouts import Layout, classes_in, recognise_layout
from shoal_worker.modelfile import ModelFile, model_file
from shoal_worker.providers import SESSION_ERRORS, open_session, preferred_provider

_TYPES: dict[str, type[np.generic]] = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(uint8)": np.uint8,
}
DEFAULT_SIDE = 640


@dataclass(frozen=True, slots=True)
class Model:
    """A loaded detector.

    ``size`` (height, width) is its input; where ``dynamic`` it is only the usual one. ``stride`` is what a
    side must be a multiple of. ``provider`` is what runs, ``wanted_provider`` what
    should. ``input_type`` uint8 means that the graph itself scales 0..255.
    """

    session: onnxruntime.InferenceSession
    name: str
    sha256: str
    layout: Layout
    names: tuple[str, ...]
    size: tuple[int, int]
    dynamic: bool
    stride: int
    input_type: type[np.generic]
    provider: str
    wanted_provider: str

    def run(self, tensor: npt.NDArray[Any]) -> Floats:
        """The first output for a tensor (1, 3, height, width) of ``input_type``: an array (1, a, b)."""
        return _run(self.session, tensor)


def load_model(path: Path, device: str | None = None, threads: int = 0) -> Model:
    """Open a model and find out its layout, names and size; it runs once on a blank picture.

    Raises:
        ModelError: the file, its metadata or its layout cannot be used; the message says what to do.
    """
    with model_file(path) as file:
        session = open_session(str(file.path), device, threads)
        return _described(session, file, preferred_provider(device))


def _described(session: onnxruntime.InferenceSession, file: ModelFile, wanted: str) -> Model:
    metadata: dict[str, str] = session.get_modelmeta().custom_metadata_map
    source = session.get_inputs()[0]
    if len(session.get_inputs()) != 1 or source.type not in _TYPES:
        raise ModelError(f"the model's input is {source.type}: use one float, half or uint8 image tensor")
    stride = _stride(metadata)
    size, dynamic = _size(source.shape, metadata, stride)
    shape = _run(session, np.zeros((1, 3, *size), _TYPES[source.type])).shape
    names = _names(metadata) or file.labels
    layout = recognise_layout(shape, len(names) or None, metadata)
    names = _completed(names, classes_in(layout, shape))
    provider = session.get_providers()[0]
    return Model(session, file.name, file.sha256, layout, names, size, dynamic, stride,
                 _TYPES[source.type], provider, wanted)  # fmt: skip


def _run(session: onnxruntime.InferenceSession, tensor: npt.NDArray[Any]) -> Floats:
    try:
        outputs = session.run([session.get_outputs()[0].name], {session.get_inputs()[0].name: tensor})
    except SESSION_ERRORS as error:
        raise ModelError(f"the model cannot run on a {tensor.shape} tensor: {error}") from error
    return np.asarray(outputs[0])


def _names(metadata: Mapping[str, str]) -> tuple[str, ...]:
    """The exporters write a Python dictionary or list as text; it is read as a literal, never run."""
    if not metadata.get("names"):
        return ()
    try:
        value = ast.literal_eval(metadata["names"])
    except (ValueError, SyntaxError, MemoryError, RecursionError) as error:
        raise ModelError(
            "the metadata `names` is not a list or a dictionary: export the model again"
        ) from error
    if isinstance(value, dict):
        if sorted(value) != list(range(len(value))):
            raise ModelError(
                "the metadata `names` does not number its classes from 0: export the model again"
            )
        value = [value[index] for index in range(len(value))]
    return tuple(str(name) for name in value)


def _stride(metadata: Mapping[str, str]) -> int:
    text = metadata.get("stride", "32").strip("[]() ").split(",")[-1]
    try:
        stride = int(float(text))
    except ValueError as error:
        raise ModelError(f"the metadata `stride` is {metadata['stride']!r}: use a whole number") from error
    return max(1, stride)


def _size(shape: list[Any], metadata: Mapping[str, str], stride: int) -> tuple[tuple[int, int], bool]:
    if len(shape) != 4 or (shape[1] not in (3, None) and not isinstance(shape[1], str)):
        raise ModelError(
            f"the model's input is {shape}: export it with channels first, (1, 3, height, width)"
        )
    if isinstance(shape[0], int) and shape[0] != 1:
        raise ModelError(f"the model takes batches of {shape[0]}: export it with a batch of 1")
    if isinstance(shape[2], int) and isinstance(shape[3], int):
        return (shape[2], shape[3]), False
    try:
        said = ast.literal_eval(metadata.get("imgsz", str(DEFAULT_SIDE)))
        height, width = (said, said) if isinstance(said, int) else (int(said[0]), int(said[-1]))
    except (ValueError, SyntaxError, TypeError, IndexError) as error:
        raise ModelError(f"the metadata `imgsz` is {metadata['imgsz']!r}: use [height, width]") from error
    return (_round_up(height, stride), _round_up(width, stride)), True


def _round_up(side: int, stride: int) -> int:
    return max(stride, -(-side // stride) * stride)


def _completed(names: tuple[str, ...], count: int | None) -> tuple[str, ...]:
    if count is None or len(names) == count:
        return names
    if names:
        raise ModelError(f"{len(names)} class names for {count} classes: correct labels.txt or the metadata")
    return tuple(f"class{index}" for index in range(count))
