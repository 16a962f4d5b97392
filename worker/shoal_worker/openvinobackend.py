"""OpenVINO behind the backend's protocol: frames in flight on all cores, in 32 bits or in bfloat16."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import numpy as np
import openvino

from shoal_worker.backend import Pending, Tensor
from shoal_worker.errors import ModelError
from shoal_worker.frames import Floats

MAXIMUM_SHAPES = 4


class OpenVinoBackend:
    """One network, compiled once for every shape of input that comes (a fixed shape runs faster than any)."""

    def __init__(self, path: Path, outputs: Sequence[str], threads: int, *, half: bool) -> None:
        self._core, self._outputs, self._lock = openvino.Core(), tuple(outputs), threading.Lock()
        self._compiled: dict[tuple[int, ...], _Requests] = {}
        self.precision = "bfloat16" if half and _has_bfloat16(self._core) else "float32"
        self.provider, self.batch, self.card = "OpenVINO CPU", 1, None
        self._settings: dict[str, Any] = {
            "PERFORMANCE_HINT": "THROUGHPUT",
            "INFERENCE_PRECISION_HINT": "bf16" if self.precision == "bfloat16" else "f32",
        }
        if threads:
            self._settings["INFERENCE_NUM_THREADS"] = threads
        try:
            self._model = self._core.read_model(str(path))
        except RuntimeError as error:
            raise ModelError(f"OpenVINO cannot load the model: {error}. Use the device cpu") from error
        self._partial = self._model.inputs[0].get_partial_shape()
        self.depth = 2

    def submit(self, tensor: Tensor) -> Pending:
        """See Backend."""
        requests = self._for(tensor.shape)
        request = requests.take()
        try:
            request.start_async({0: tensor}, share_inputs=True)
        except RuntimeError as error:
            requests.free.put(request)
            raise _cannot_run(tensor, error) from error

        def result() -> Sequence[Floats]:
            try:
                request.wait()
                return [np.array(request.get_tensor(name).data) for name in self._outputs]
            except RuntimeError as error:
                raise _cannot_run(tensor, error) from error
            finally:
                requests.free.put(request)

        return result

    def _for(self, shape: tuple[int, ...]) -> _Requests:
        with self._lock:
            if shape not in self._compiled:
                if len(self._compiled) >= MAXIMUM_SHAPES:
                    self._compiled.pop(next(iter(self._compiled)))
                self._compiled[shape] = self._compile(shape)
            return self._compiled[shape]

    def _compile(self, shape: tuple[int, ...]) -> _Requests:
        try:
            if self._partial.is_dynamic:
                self._model.reshape({0: list(shape)})
            compiled = self._core.compile_model(self._model, "CPU", self._settings)
        except RuntimeError as error:
            raise ModelError(f"OpenVINO cannot compile the model for {shape}: {error}") from error
        requests = _Requests(compiled)
        self.depth = requests.count
        return requests


class _Requests:
    """The requests of one compiled network that may run side by side.

    Where none is free another one is made: two videos that each wait for a request, and give one back only
    when they have got it, would wait for ever.
    """

    def __init__(self, compiled: Any) -> None:
        self._compiled = compiled
        self.count = max(1, int(compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS")))
        self.free: SimpleQueue[Any] = SimpleQueue()
        # One more than run at once, so that a single frame from elsewhere waits for no whole batch.
        for _ in range(self.count + 1):
            self.free.put(compiled.create_infer_request())

    def take(self) -> Any:
        """A request that nobody uses."""
        try:
            return self.free.get_nowait()
        except Empty:
            return self._compiled.create_infer_request()


def _has_bfloat16(core: Any) -> bool:
    return "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def _cannot_run(tensor: Tensor, error: RuntimeError) -> ModelError:
    return ModelError(f"the model cannot run on a {tensor.shape} tensor: {error}")
