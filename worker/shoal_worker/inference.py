"""Batches of frames through a network: prepared and read on the processor, or on the network's own device."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from shoal_worker.frames import Detections
from shoal_worker.model import Model
from shoal_worker.nms import read_output
from shoal_worker.options import TrackOptions
from shoal_worker.prepare import Prepared
from shoal_worker.preprocess import Batcher, Letterbox

Answers = Callable[[], list[Detections]]
"""Waits for a batch and answers each frame's detections in pixels of the network's input; call it once."""


class Inference(Protocol):
    """One video's way through a network."""

    def submit(self, batch: Sequence[Prepared]) -> Answers:
        """Start one batch of at most ``Model.batch`` frames.

        Raises (here or when the answers are taken):
            ModelError: the network cannot run on it.
        """


def open_inference(model: Model, letterbox: Letterbox, options: TrackOptions) -> Inference:
    """On the device where the network has one with memory of its own, else on the processor."""
    card = model.backend.card
    if card is None:
        return HostInference(model, letterbox, options)
    from shoal_worker.deviceinference import DeviceInference

    return DeviceInference(card, model, letterbox, options)


class HostInference:
    """The processor makes the tensors and reads the outputs."""

    def __init__(self, model: Model, letterbox: Letterbox, options: TrackOptions) -> None:
        self._model, self._letterbox, self._options = model, letterbox, options
        self._batcher = Batcher(model.batch, letterbox.size, model.input_type, model.backend.depth + 1,
                                normalise=model.layout.normalises, letterbox=letterbox)  # fmt: skip

    def submit(self, batch: Sequence[Prepared]) -> Answers:
        """See Inference."""
        tensor = self._batcher([frame.picture for frame in batch])
        pending = self._model.backend.submit(tensor)

        def answers() -> list[Detections]:
            outputs = pending()
            return [self._read([output[index] for output in outputs]) for index in range(len(batch))]

        return answers

    def _read(self, outputs: Sequence[object]) -> Detections:
        arrays = [np.asarray(output) for output in outputs]
        size, classes = self._letterbox.size, len(self._model.names)
        return read_output(arrays, self._model.layout, self._options, size, classes)
