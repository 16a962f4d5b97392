"""The appearance stage: from a frame and its boxes to what each object looks like, as unit vectors.

It is optional and off by default. Anything that keeps the protocol may be the embedder; ``onnxembedder`` has
one for ONNX files. Crops are taken from the frame itself, not from the network's smaller input.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from shoal_worker.detectionlog import MAXIMUM_DIMENSIONS
from shoal_worker.detector import Found
from shoal_worker.errors import ModelError
from shoal_worker.frames import Detections, Floats, Image

_LENGTH_ERROR = 1e-2


@dataclass(frozen=True, slots=True)
class EmbedderDescription:
    """What an archive says of the embedder: a vector has ``dimensions`` numbers, and ``size`` (height, width)
    is a crop's."""

    name: str
    sha256: str
    dimensions: int
    size: tuple[int, int]
    provider: str
    precision: str


class Embedder(Protocol):
    """Says what objects look like; ``embed`` may be called from several threads."""

    @property
    def description(self) -> EmbedderDescription:
        """See EmbedderDescription."""

    def embed(self, image: Image, boxes: Floats) -> Floats:
        """Unit vectors (n, dimensions) float32 of the boxes (n, 4), left top right bottom in pixels of
        ``image`` (height, width, 3) uint8 RGB; a row of zeros where there is nothing to tell."""


def embedded(
    found: Iterable[Found], embedder: Embedder, frame: tuple[int, int], least: float
) -> Iterator[Found]:
    """Every frame of (height, width) with what its detections of score ``least`` and up look like.

    Raises:
        ModelError: the embedder answered something else than its protocol says.
    """
    for prepared, detections in found:
        if prepared.whole is None:
            raise ModelError("the appearance stage was given no whole frame to look at")
        features = _features(embedder, prepared.whole, frame, detections, least)
        yield replace(prepared, whole=None), replace(detections, features=features)


def _features(
    embedder: Embedder, whole: Image, frame: tuple[int, int], found: Detections, least: float
) -> Floats:
    """In the precision that they are stored in, so that a second association sees the same numbers."""
    about = embedder.description
    if not 0 < about.dimensions <= MAXIMUM_DIMENSIONS:
        raise ModelError(
            f"{about.name} answers {about.dimensions} numbers for an object: use 1 to {MAXIMUM_DIMENSIONS}"
        )
    features = np.zeros((len(found), about.dimensions), np.float16)
    rows = np.flatnonzero(found.scores >= least)
    if len(rows):
        scale = np.array([whole.shape[1] / frame[1], whole.shape[0] / frame[0]] * 2, np.float32)
        vectors = embedder.embed(whole, found.boxes[rows] * scale)
        features[rows] = checked(vectors, len(rows), about)
    return features


def checked(vectors: Floats, count: int, about: EmbedderDescription) -> Floats:
    """The vectors, which are what the protocol promises.

    Raises:
        ModelError: another shape, a number that is none, or a length that is neither one nor zero.
    """
    if vectors.shape != (count, about.dimensions):
        raise ModelError(
            f"{about.name} answered {vectors.shape} for {count} objects, not {(count, about.dimensions)}: "
            "the appearance model must answer one vector of one length for each crop"
        )
    if not np.isfinite(vectors).all():
        raise ModelError(
            f"{about.name} answered numbers that are none (NaN or infinite): export it in float32, and check "
            "how it wants its pixels (metadata shoal.normalise)"
        )
    length = np.linalg.norm(vectors.astype(np.float32), axis=1)
    if (np.minimum(np.abs(length - 1), length) > _LENGTH_ERROR).any():
        raise ModelError(f"{about.name} answered vectors that are not of length one: normalise them")
    return vectors
