"""The detector: frames in, detections in the frames' own pixels out."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

from shoal_worker.frames import Detections, Image
from shoal_worker.inference import Answers, open_inference
from shoal_worker.model import Model, load_model
from shoal_worker.options import TrackOptions
from shoal_worker.prepare import Prepared
from shoal_worker.preprocess import Letterbox, rectangle

Found = tuple[Prepared, Detections]


class Detector:
    """A model, loaded once for many videos and used from several threads.

    Args:
        model: an ``.onnx`` file, a ``.tar.gz`` that holds one, or a loaded Model.
        device: None (the best there is), ``cpu``, ``openvino``, ``cuda``, ``cuda:<index>`` or ``tensorrt``.
        threads: of the backend; 0 leaves the number to it.
        half: 16-bit arithmetic where the device has it.

    Raises:
        ModelError: the model cannot be used; the message says what to do.
    """

    def __init__(
        self, model: Path | Model, *, device: str | None = None, threads: int = 0, half: bool = False
    ) -> None:
        self.device, self.half = device, half
        self.model = load_model(model, device, threads, half=half) if isinstance(model, Path) else model

    @property
    def names(self) -> tuple[str, ...]:
        """The class names, by index."""
        return self.model.names

    def label(self, index: int) -> str:
        """The name of a class; an index without a name is called by its number."""
        return self.names[index] if 0 <= index < len(self.names) else f"class{index}"

    def detect(self, image: Image, options: TrackOptions | None = None) -> Detections:
        """What is in ``image`` (height, width, 3) uint8 RGB, best first, in its pixels."""
        return self.detect_many([image], options or TrackOptions())[0]

    def detect_many(self, images: Sequence[Image], options: TrackOptions) -> list[Detections]:
        """What is in each of ``images``, which are all of one size."""
        if not images:
            return []
        letterbox = self.letterbox((images[0].shape[0], images[0].shape[1]), options)
        frames = (Prepared(letterbox(image), None) for image in images)
        return [found for _, found in self.stream(frames, letterbox, options)]

    def stream(
        self, frames: Iterable[Prepared], letterbox: Letterbox, options: TrackOptions
    ) -> Iterator[Found]:
        """Every frame with its detections, in order; as many batches are under way as the backend can use."""
        model, inference = self.model, open_inference(self.model, letterbox, options)
        flying: deque[tuple[Sequence[Prepared], Answers]] = deque()
        source = iter(frames)
        while batch := list(islice(source, model.batch)):
            flying.append((batch, inference.submit(batch)))
            if len(flying) > model.backend.depth:
                yield from _landed(*flying.popleft(), letterbox)
        while flying:
            yield from _landed(*flying.popleft(), letterbox)

    def letterbox(self, frame: tuple[int, int], options: TrackOptions) -> Letterbox:
        """How frames of (height, width) are fitted into the input."""
        return Letterbox(frame, self.input_size(frame, options), stretch=self.model.layout.stretches)

    def input_size(self, frame: tuple[int, int], options: TrackOptions) -> tuple[int, int]:
        """The (height, width) that a frame of (height, width) is scaled into."""
        if not self.model.dynamic:
            return self.model.size
        size = options.image_size or self.model.size
        return size if self.model.layout.stretches else rectangle(frame, size, self.model.stride)

    def notes(self, options: TrackOptions) -> tuple[str, ...]:
        """What of ``options`` this model cannot do, in sentences."""
        height, width = self.model.size
        wanted, ran = self.model.wanted_provider, self.model.provider
        precision = self.model.backend.precision
        sentences = {
            f"--imgsz was ignored: the model is fixed at {height}x{width}; export it with dynamic=True": (
                not self.model.dynamic and options.image_size not in (None, self.model.size)
            ),
            f"--device was ignored: the model is loaded already, on {ran}": (
                options.device not in (None, self.device)
            ),
            f"--half was not done: {ran} computes this model in {precision}; export it with half=True": (
                options.half and "16" not in precision
            ),
            f"{wanted} did not come up and {ran} ran instead: check the GPU's driver": wanted != ran,
        }
        return tuple(sentence for sentence, holds in sentences.items() if holds)


def _landed(batch: Sequence[Prepared], answers: Answers, letterbox: Letterbox) -> Iterator[Found]:
    for frame, found in zip(batch, answers(), strict=True):
        yield frame, Detections(letterbox.restore(found.boxes), found.scores, found.classes)
