"""The detector: a frame in, detections in the frame's own pixels out."""

from __future__ import annotations

from pathlib import Path

from shoal_worker.frames import Detections, Image
from shoal_worker.model import Model, load_model
from shoal_worker.nms import read_output
from shoal_worker.options import TrackOptions
from shoal_worker.preprocess import Letterbox, rectangle


class Detector:
    """A model with its buffers. One thread at a time; load it once and use it for every video.

    Args:
        model: an ``.onnx`` file, a ``.tar.gz`` that holds one, or a loaded Model.
        device: None (the best there is), ``cpu``, ``cuda``, ``cuda:<index>`` or ``tensorrt``.
        threads: of ONNX Runtime; 0 leaves the number to it.

    Raises:
        ModelError: the model cannot be used; the message says what to do.
    """

    def __init__(self, model: Path | Model, *, device: str | None = None, threads: int = 0) -> None:
        self.device = device
        self.model = load_model(model, device, threads) if isinstance(model, Path) else model
        self._letterbox: Letterbox | None = None
        self._key: tuple[int, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The class names, by index."""
        return self.model.names

    def label(self, index: int) -> str:
        """The name of a class; an index without a name is called by its number."""
        return self.names[index] if 0 <= index < len(self.names) else f"class{index}"

    def detect(self, image: Image, options: TrackOptions | None = None) -> Detections:
        """What is in ``image`` (height, width, 3) uint8 RGB, best first, in its pixels."""
        options = options or TrackOptions()
        letterbox = self._fitted((image.shape[0], image.shape[1]), options)
        found = read_output(self.model.run(letterbox(image)), self.model.layout, options)
        return Detections(letterbox.restore(found.boxes), found.scores, found.classes)

    def input_size(self, frame: tuple[int, int], options: TrackOptions) -> tuple[int, int]:
        """The (height, width) that a frame of (height, width) is scaled into."""
        if not self.model.dynamic:
            return self.model.size
        return rectangle(frame, options.image_size or self.model.size, self.model.stride)

    def notes(self, options: TrackOptions) -> tuple[str, ...]:
        """What of ``options`` this model cannot do, in sentences."""
        height, width = self.model.size
        wanted, ran = self.model.wanted_provider, self.model.provider
        sentences = {
            f"--imgsz was ignored: the model is fixed at {height}x{width}; export it with dynamic=True": (
                not self.model.dynamic and options.image_size not in (None, self.model.size)
            ),
            f"--device was ignored: the model is loaded already, on {ran}": (
                options.device not in (None, self.device)
            ),
            f"{wanted} did not come up and {ran} ran instead: check the GPU's driver": wanted != ran,
        }
        return tuple(sentence for sentence, holds in sentences.items() if holds)

    def _fitted(self, frame: tuple[int, int], options: TrackOptions) -> Letterbox:
        size = self.input_size(frame, options)
        if self._letterbox is None or self._key != (*frame, *size):
            self._letterbox, self._key = Letterbox(frame, size, self.model.input_type), (*frame, *size)
        return self._letterbox
