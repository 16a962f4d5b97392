"""An ONNX network as embedder: crops of all boxes at once, in batches, each answered by one vector."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from shoal_worker.appearance import unit
from shoal_worker.backend import Backend, Pending, Tensor, open_backend
from shoal_worker.config import TrackConfig
from shoal_worker.detectionlog import MAXIMUM_DIMENSIONS
from shoal_worker.embedding import Embedder, EmbedderDescription
from shoal_worker.errors import ModelError, TrackConfigError
from shoal_worker.frames import Floats, Image
from shoal_worker.model import ELEMENTS
from shoal_worker.modelfile import model_file
from shoal_worker.onnxfile import OnnxFile, verify_onnx
from shoal_worker.options import TrackOptions
from shoal_worker.preprocess import channel_scales

BATCHES = (16, 4, 1)
"""Crops at once where the network takes any number: a few fixed shapes, so that nothing is compiled twice."""
MAXIMUM_SIDE = 512
MAXIMUM_BATCH = 32
NORMALISATIONS = {
    "imagenet": channel_scales(True),
    "unit": channel_scales(False),
    "none": [(1.0, 0.0)] * 3,
}
"""Factor and shift of each channel, by the metadata ``shoal.normalise``; person re-identification networks
are trained with ImageNet's."""


class OnnxEmbedder:
    """An appearance model, loaded once for many videos.

    Args:
        path: an ``.onnx`` file, or a ``.tar.gz`` that holds one, with one input (batch, 3, height, width);
            its first output is (batch, dimensions). It is verified as detectors are before it is opened.
        device, threads, half: as of ``Detector``.

    Raises:
        ModelError: the model cannot be used; the message says what to do.
    """

    def __init__(
        self, path: Path, *, device: str | None = None, threads: int = 0, half: bool = False
    ) -> None:
        if path.suffix in {".pt", ".pth", ".torchscript", ".engine"}:
            raise ModelError(
                f"the appearance model {path.name} is no ONNX file: export it with torch.onnx.export, input "
                "(batch, 3, height, width), output (batch, dimensions)"
            )
        with model_file(path) as file:
            declared = verify_onnx(file.path)
            self._size, self._batches, self._kind = _input(declared)
            self._scales = _scales(declared.metadata)
            self._backend: Backend = open_backend(
                file.path, [declared.outputs[0].name], device, threads, half=half
            )
            blank = self._backend.submit(np.zeros((self._batches[-1], 3, *self._size), self._kind))()[0]
            dimensions = _dimensions(np.shape(blank), self._batches[-1])
            self._description = EmbedderDescription(
                file.name,
                file.sha256,
                dimensions,
                self._size,
                self._backend.provider,
                self._backend.precision,
            )

    @property
    def description(self) -> EmbedderDescription:
        """See Embedder."""
        return self._description

    def embed(self, image: Image, boxes: Floats) -> Floats:
        """See Embedder."""
        answers, flying = [], deque[tuple[int, Pending]]()
        for some in self._parts(boxes):
            batch = next(size for size in reversed(self._batches) if size >= len(some))
            flying.append((len(some), self._backend.submit(self._tensor(image, some, batch))))
            if len(flying) > self._backend.depth:
                answers.append(_taken(*flying.popleft()))
        answers += [_taken(*pending) for pending in flying]
        if not answers:
            return np.zeros((0, self._description.dimensions), np.float32)
        return _unit_or_as_it_is(np.concatenate(answers))

    def _parts(self, boxes: Floats) -> Iterator[Floats]:
        """As few batches as fill their shape; only a network of one fixed batch computes more than there
        is."""
        done = 0
        while done < len(boxes):
            left = len(boxes) - done
            size = next((size for size in self._batches if size <= left), self._batches[-1])
            yield boxes[done : done + size]
            done += size

    def _tensor(self, image: Image, boxes: Floats, batch: int) -> Tensor:
        tensor: Tensor = np.zeros((batch, 3, *self._size), self._kind)
        pictures = crops(image, boxes, self._size)
        for channel, (factor, shift) in enumerate(self._scales):
            plane = pictures[..., channel]
            scaled: Any = plane if self._kind is np.uint8 else plane * np.float32(factor) + np.float32(shift)
            tensor[: len(boxes), channel] = scaled
        return tensor


def crops(image: Image, boxes: Floats, size: tuple[int, int]) -> Image:
    """What is inside the boxes (n, 4), stretched to ``size``: (n, height, width, 3), in one call for all.

    Bilinear, as OpenCV's ``resize``; a box is clipped to the picture and holds at least one pixel.
    """
    height, width = size
    limits = np.array([image.shape[1], image.shape[0]] * 2, np.float32)
    sides = np.clip(boxes.astype(np.float32), 0, limits).T
    left, top = np.minimum(np.floor(sides[:2]), limits[:2, None] - 1)
    right, bottom = np.maximum(np.ceil(sides[2:]), np.stack([left, top]) + 1)
    across = _places(left, right, width)[:, None, :]
    down = _places(top, bottom, height)[:, :, None]
    shape = (len(boxes), height, width)
    columns, rows = (np.broadcast_to(part, shape).reshape(-1, width) for part in (across, down))
    stretched: Image = cv2.remap(image, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return stretched.reshape(*shape, 3)


def embedder_for(
    config: TrackConfig, given: Embedder | Path | None, options: TrackOptions
) -> Embedder | None:
    """The embedder that was given, or else the one that the tracker's file names; None: appearance is off.

    Raises:
        ModelError: it cannot be used. TrackConfigError: only a worker fetches from S3.
    """
    if given is None and config.model.startswith("s3://"):
        raise TrackConfigError(
            f"the appearance model {config.model} is fetched by a worker only: download it and name its path"
        )
    given = Path(config.model) if given is None and config.model else given
    return OnnxEmbedder(given, device=options.device, half=options.half) if isinstance(given, Path) else given


def _places(first: Floats, end: Floats, count: int) -> Floats:
    """Where (n, count) the pixels of a stretched side are read, by the middles of pixels, inside the crop."""
    places = (np.arange(count, dtype=np.float32) + 0.5) * ((end - first) / count)[:, None] - 0.5
    return np.asarray(np.clip(places, 0, (end - first)[:, None] - 1) + first[:, None], np.float32)


def _taken(count: int, pending: Pending) -> Floats:
    answer = np.asarray(pending()[0])
    return answer.reshape(len(answer), -1)[:count].astype(np.float32)


def _unit_or_as_it_is(vectors: Floats) -> Floats:
    """Numbers that are none are left for the stage to complain of."""
    return unit(vectors) if np.isfinite(vectors).all() else vectors


def _input(declared: OnnxFile) -> tuple[tuple[int, int], tuple[int, ...], type[np.generic]]:
    """The crop's (height, width), the batches that the network takes, largest first, and its elements."""
    if len(declared.inputs) != 1 or not declared.outputs:
        raise ModelError(
            f"the appearance model has {len(declared.inputs)} inputs: export it with one, a crop"
        )
    shape, element = declared.inputs[0].shape, declared.inputs[0].element
    if len(shape) != 4 or shape[1] != 3 or element not in ELEMENTS:
        raise ModelError(
            f"the appearance model's input is {list(shape)} of type {element}: use (batch, 3, height, width) "
            "in float, half or uint8"
        )
    height, width, batch = shape[2] or 0, shape[3] or 0, shape[0] or 0
    if not (0 < height <= MAXIMUM_SIDE and 0 < width <= MAXIMUM_SIDE and batch <= MAXIMUM_BATCH):
        raise ModelError(
            f"the appearance model's input is {list(shape)}: fix its height and width, at most "
            f"{MAXIMUM_SIDE}, and take at most {MAXIMUM_BATCH} crops"
        )
    return (height, width), (batch,) if batch else BATCHES, ELEMENTS[element]


def _scales(metadata: dict[str, str]) -> list[tuple[float, float]]:
    word = metadata.get("shoal.normalise", "imagenet")
    if word not in NORMALISATIONS:
        raise ModelError(f"shoal.normalise is {word!r}: use one of {', '.join(NORMALISATIONS)}")
    return NORMALISATIONS[word]


def _dimensions(shape: tuple[int, ...], batch: int) -> int:
    count = int(np.prod(shape[1:]))
    vector = len(shape) >= 2 and shape[0] == batch and count == max(shape[1:])
    if not vector or not 0 < count <= MAXIMUM_DIMENSIONS:
        raise ModelError(
            f"the appearance model answers {shape} for {batch} crops: use (batch, dimensions) with 1 to "
            f"{MAXIMUM_DIMENSIONS} numbers for each"
        )
    return count
