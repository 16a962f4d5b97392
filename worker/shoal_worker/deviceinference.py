"""Frames through a network without leaving its device: scaled, detected and suppressed there.

Three sessions share the device's memory: the graph before the network, the network as its file has it, and
the graph behind it (``devicegraphs``). The network's own file stays what was verified, in its own opset, and
TensorRT sees nothing else. Up goes what the decoder answered, and down come the rows that survive.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import onnxruntime

from shoal_worker import devicegraphs as graphs
from shoal_worker.backend import Card, Tensor
from shoal_worker.errors import ModelError
from shoal_worker.frames import Detections, Floats
from shoal_worker.inference import Answers
from shoal_worker.model import Model
from shoal_worker.nms import read_output
from shoal_worker.options import TrackOptions
from shoal_worker.prepare import Prepared
from shoal_worker.preprocess import Letterbox
from shoal_worker.providers import SESSION_ERRORS, open_session

_ELEMENTS: dict[str, type[np.generic]] = {"tensor(float)": np.float32, "tensor(float16)": np.float16}
MOST_GRAPHS = 8
"""Sizes of frames change from video to video, and between the pictures of requests."""


class DeviceInference:
    """One video's way through a network on a card; see Inference.

    What needs no suppression (end-to-end networks and transformers) answers few rows, which are read on the
    processor.
    """

    def __init__(self, card: Card, model: Model, letterbox: Letterbox, options: TrackOptions) -> None:
        self._card, self._model, self._letterbox, self._options = card, model, letterbox, options

    def submit(self, batch: Sequence[Prepared]) -> Answers:
        """See Inference. A batch in which the decoder changed its format is run once for each."""
        groups = []
        for kind in sorted({frame.picture.ndim for frame in batch}):
            places = [place for place, frame in enumerate(batch) if frame.picture.ndim == kind]
            groups.append((places, self._inputs([batch[place] for place in places])))
        return self._card.thread.submit(self._run, groups, len(batch)).result

    def _inputs(self, frames: Sequence[Prepared]) -> dict[str, Tensor]:
        """A whole batch, because the network always sees one shape."""
        stacked: Tensor = np.empty((self._model.batch, *frames[0].picture.shape), np.uint8)
        stacked[len(frames) :] = 0
        for place, frame in enumerate(frames):
            stacked[place] = frame.picture
        colours = frames[0].colours
        return {graphs.FRAMES: stacked} | ({} if colours is None else {graphs.COLOURS: colours})

    def _run(self, groups: Sequence[tuple[Sequence[int], dict[str, Tensor]]], count: int) -> list[Detections]:
        answers: dict[int, Detections] = {}
        try:
            for places, inputs in groups:
                answers.update(zip(places, self._found(inputs, len(places)), strict=True))
        except SESSION_ERRORS as error:
            raise ModelError(f"the model cannot run on its device: {error}") from error
        return [answers[place] for place in range(count)]

    def _found(self, inputs: dict[str, Tensor], count: int) -> list[Detections]:
        (tensor,) = self._through(self._before(graphs.COLOURS in inputs), inputs, (graphs.TENSOR,))
        raw = self._through(self._card.session, {self._card.source: tensor}, self._card.outputs)
        if not self._model.layout.suppresses:
            return self._read([output.numpy() for output in raw], count)
        (rows,) = self._through(self._behind(), {graphs.OUTPUT: raw[0], **self._limits()}, (graphs.FOUND,))
        return _split(rows.numpy(), count)

    def _through(self, session: Any, inputs: Mapping[str, Any], outputs: Sequence[str]) -> list[Any]:
        """One run from and into the device's memory; arrays go up, values that are there stay."""
        binding, place = session.io_binding(), (self._card.device, self._card.index)
        for name, value in inputs.items():
            up = isinstance(value, np.ndarray)
            there = onnxruntime.OrtValue.ortvalue_from_numpy(value, *place) if up else value
            binding.bind_ortvalue_input(name, there)
        for name in outputs:
            binding.bind_output(name, *place)
        session.run_with_iobinding(binding)
        return list(binding.get_outputs())

    def _before(self, planes: bool) -> Any:
        """The graph before the network: from a decoder's planes, or from pictures of its size."""
        model, box = self._model, self._letterbox
        write = graphs.planes_graph if planes else graphs.picture_graph
        normalise = model.layout.normalises
        return self._kept(
            (planes, box.frame, box.inner, box.size),
            lambda: write(box, model.batch, model.input_type, normalise=normalise),
        )

    def _behind(self) -> Any:
        layout = self._model.layout
        return self._kept((layout,), lambda: graphs.suppression_graph(layout, self._raw_element()))

    def _raw_element(self) -> type[np.generic]:
        kinds = {output.name: output.type for output in self._card.session.get_outputs()}
        return _ELEMENTS[kinds[self._card.outputs[0]]]

    def _kept(self, key: tuple[Any, ...], write: Callable[[], bytes]) -> Any:
        """A session of one of our graphs; only the card's one thread comes here."""
        kept = self._card.graphs
        if key not in kept:
            if len(kept) >= MOST_GRAPHS:
                kept.pop(next(iter(kept)))
            kept[key] = open_graph(write(), self._card)
        return kept[key]

    def _limits(self) -> dict[str, Tensor]:
        options, classes = self._options, len(self._model.names)
        apart = 0 if options.agnostic_nms else 2 * max(self._letterbox.size)
        wanted = options.chosen(np.arange(classes))
        return {
            graphs.THRESHOLD: np.array([options.threshold], np.float32),
            graphs.OVERLAP: np.array([options.iou], np.float32),
            graphs.LIMIT: np.array([options.maximum_detections], np.int64),
            graphs.APART: np.array([apart], np.float32),
            graphs.WANTED: wanted.astype(np.float32),
        }

    def _read(self, outputs: Sequence[Floats], count: int) -> list[Detections]:
        asked = self._model.layout, self._options, self._letterbox.size, len(self._model.names)
        return [read_output([output[index] for output in outputs], *asked) for index in range(count)]


def open_graph(content: bytes, card: Card) -> Any:
    """A session over one of our graphs on the card of a network; TensorRT would build an engine for it."""
    return open_session(content, "cpu" if card.device == "cpu" else f"{card.device}:{card.index}")


def _split(rows: Floats, count: int) -> list[Detections]:
    """The rows of ``devicegraphs.FOUND``, in order of their frame, as each frame's detections, best first."""
    ends = np.searchsorted(rows[:, graphs.BATCH], np.arange(count), side="right")
    parts = np.split(rows, ends)[:count]
    return [
        Detections(part[:, graphs.BOX], part[:, graphs.SCORE], part[:, graphs.CLASS].astype(np.int64))
        for part in parts
    ]
