"""An ONNX detector: the backend that runs it, and what it says about itself."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from shoal_worker.backend import Backend, Card, chosen_device, open_backend
from shoal_worker.errors import ModelError
from shoal_worker.frames import Floats
from shoal_worker.layouts import Layout, Output, chosen_outputs, classes_in, recognise_layout
from shoal_worker.modelfile import ModelFile, model_file
from shoal_worker.onnxfile import OnnxFile, verify_onnx
from shoal_worker.providers import preferred_provider

ELEMENTS: dict[int, type[np.generic]] = {1: np.float32, 10: np.float16, 2: np.uint8}
"""Input types by ONNX's number."""
DEFAULT_SIDE = 640
MAXIMUM_BATCH = 64
LONGEST_SIDE = 8192
LONGEST_LITERAL = 1024**2
MAXIMUM_INPUT = 1 << 27
"""Pixels of a whole batch: it is run once at the start, on blank ones."""


@dataclass(frozen=True, slots=True)
class ModelDescription:
    """What an archive says of the model; ``size`` is the input's (height, width), ``provider`` and
    ``precision`` what ran it."""

    name: str
    sha256: str
    layout: str
    size: tuple[int, int]
    provider: str
    precision: str


@dataclass(frozen=True, slots=True)
class Model:
    """A loaded detector.

    ``size`` (height, width) is its input; where ``dynamic`` it is only the usual one. ``stride`` is what a
    side must be a multiple of. ``batch`` frames go through it at once. ``provider`` is what runs,
    ``wanted_provider`` what should. ``input_type`` uint8 means that the graph itself scales 0..255.
    """

    backend: Backend
    name: str
    sha256: str
    layout: Layout
    names: tuple[str, ...]
    size: tuple[int, int]
    dynamic: bool
    stride: int
    batch: int
    input_type: type[np.generic]
    provider: str
    wanted_provider: str

    @property
    def description(self) -> ModelDescription:
        """What of it goes into an archive."""
        return ModelDescription(
            self.name, self.sha256, self.layout, self.size, self.provider, self.backend.precision
        )


def load_model(path: Path, device: str | None = None, threads: int = 0, *, half: bool = False) -> Model:
    """Verify a model, open it, and find out its layout, names and size; it runs once on a blank picture.

    Raises:
        ModelError: the file, its metadata or its layout cannot be used; the message says what to do.
    """
    with model_file(path) as file:
        declared = verify_onnx(file.path)
        outputs = [output.name for output in declared.outputs]
        if not outputs or len(declared.inputs) != 1:
            raise ModelError(f"the model has {len(declared.inputs)} inputs: export it with one, the image")
        backend = open_backend(file.path, outputs, device, threads, half=half)
        return _described(backend, file, declared, _wanted(device, backend))


def _wanted(device: str | None, backend: Backend) -> str:
    return backend.provider if chosen_device(device) == "openvino" else preferred_provider(device)


def _described(backend: Backend, file: ModelFile, declared: OnnxFile, wanted: str) -> Model:
    metadata, source = declared.metadata, declared.inputs[0]
    if source.element not in ELEMENTS:
        raise ModelError(f"the model's input has element type {source.element}: use float, half or uint8")
    kind = ELEMENTS[source.element]
    stride = _stride(metadata)
    size, dynamic = _size(source.shape, metadata, stride)
    batch = _batch(source.shape, backend)
    if batch * size[0] * size[1] > MAXIMUM_INPUT:
        raise ModelError(
            f"the model takes {batch} pictures of {size[0]}x{size[1]} at once: export it with fewer"
        )
    answers = backend.submit(np.zeros((batch, 3, *size), kind))()
    outputs = [
        Output(output.name, (1, *np.shape(answer)[1:]))
        for output, answer in zip(declared.outputs, answers, strict=True)
    ]
    names = _names(metadata) or file.labels
    layout = recognise_layout(outputs, len(names) or None, metadata)
    shapes = {output.name: output.shape for output in outputs}
    chosen = chosen_outputs(layout, list(shapes))
    names = _completed(names, classes_in(layout, [shapes[name] for name in chosen]), layout)
    read = _Chosen(backend, [list(shapes).index(name) for name in chosen])
    return Model(read, file.name, file.sha256, layout, names, size, dynamic, stride, batch, kind,
                 backend.provider, wanted)  # fmt: skip


class _Chosen:
    """A backend of which only some outputs are handed on, in another order."""

    def __init__(self, backend: Backend, chosen: Sequence[int]) -> None:
        self._backend, self._chosen = backend, chosen
        self.provider, self.precision, self.batch = backend.provider, backend.precision, backend.batch
        self.card = _chosen_card(backend.card, chosen)

    @property
    def depth(self) -> int:
        return self._backend.depth

    def submit(self, tensor: Any) -> Any:
        pending = self._backend.submit(tensor)

        def result() -> list[Floats]:
            answers = pending()
            return [answers[index] for index in self._chosen]

        return result


def _chosen_card(card: Card | None, chosen: Sequence[int]) -> Card | None:
    return None if card is None else replace(card, outputs=tuple(card.outputs[index] for index in chosen))


def _names(metadata: Mapping[str, str]) -> tuple[str, ...]:
    """The exporters write a Python dictionary or list as text; it is read as a literal, never run."""
    if not metadata.get("names"):
        return ()
    try:
        value = _literal(metadata["names"])
    except ValueError as error:
        raise ModelError(
            "the metadata `names` is not a list or a dictionary: export the model again"
        ) from error
    if isinstance(value, dict):
        if set(value) != set(range(len(value))):
            raise ModelError(
                "the metadata `names` does not number its classes from 0: export the model again"
            )
        value = [value[index] for index in range(len(value))]
    if not isinstance(value, list | tuple):
        raise ModelError("the metadata `names` is not a list or a dictionary: export the model again")
    return tuple(str(name) for name in value)


def _literal(text: str) -> Any:
    """A Python literal; raises ValueError for anything else, and for one that is too long or too deep."""
    if len(text) > LONGEST_LITERAL:
        raise ValueError(f"{len(text)} characters")
    try:
        return ast.literal_eval(text)
    except (SyntaxError, MemoryError, RecursionError, TypeError) as error:
        raise ValueError("no literal") from error


def _stride(metadata: Mapping[str, str]) -> int:
    text = metadata.get("stride", "32").strip("[]() ").split(",")[-1]
    try:
        stride = int(float(text))
    except (ValueError, OverflowError) as error:
        raise ModelError(f"the metadata `stride` is {text[:40]!r}: use a whole number") from error
    return max(1, stride)


def _size(
    shape: Sequence[int | None], metadata: Mapping[str, str], stride: int
) -> tuple[tuple[int, int], bool]:
    if len(shape) != 4 or shape[1] not in (3, None):
        raise ModelError(
            f"the model's input is {list(shape)}: export it with channels first, (1, 3, height, width)"
        )
    if shape[2] and shape[3]:
        return _bounded(shape[2], shape[3]), False
    try:
        said = _literal(metadata.get("imgsz", str(DEFAULT_SIDE)))
        height, width = (said, said) if isinstance(said, int) else (int(said[0]), int(said[-1]))
    except (ValueError, TypeError, LookupError, OverflowError) as error:
        raise ModelError(
            f"the metadata `imgsz` is {metadata['imgsz'][:40]!r}: use [height, width]"
        ) from error
    return _bounded(_round_up(height, stride), _round_up(width, stride)), True


def _bounded(height: int, width: int) -> tuple[int, int]:
    if not (0 < height <= LONGEST_SIDE and 0 < width <= LONGEST_SIDE):
        raise ModelError(
            f"the model's input is {height}x{width}: export it with at most {LONGEST_SIDE} a side"
        )
    return height, width


def _batch(shape: Sequence[int | None], backend: Backend) -> int:
    fixed = shape[0] or 0
    if fixed > MAXIMUM_BATCH:
        raise ModelError(f"the model takes batches of {fixed}: export it with at most {MAXIMUM_BATCH}")
    return fixed or backend.batch


def _round_up(side: int, stride: int) -> int:
    return max(stride, -(-side // stride) * stride)


def _completed(names: tuple[str, ...], count: int | None, layout: Layout) -> tuple[str, ...]:
    if count is None or len(names) == count or (names and layout.normalises and len(names) == count - 1):
        return names
    if names:
        raise ModelError(f"{len(names)} class names for {count} classes: correct labels.txt or the metadata")
    return tuple(f"class{index}" for index in range(count))
