"""ONNX Runtime behind the backend's protocol: on the processor in streams, on a GPU with its buffers
bound."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from shoal_worker.backend import Card, Pending, Tensor
from shoal_worker.errors import ModelError
from shoal_worker.frames import Floats
from shoal_worker.providers import SESSION_ERRORS, open_session

GPU_BATCH = 16
"""Frames at once on a GPU, where the model takes any number: small batches leave most of it idle."""
STREAM_THREADS = 1
"""Threads of one stream: two frames side by side are sooner done than two threads on one frame."""


class OnnxBackend:
    """One session. On the processor ``depth`` frames run side by side, each on its own threads; on a GPU one
    batch follows the other, from and into buffers on the device."""

    def __init__(
        self, path: Path, outputs: Sequence[str], device: str | None, threads: int, *, half: bool = False
    ) -> None:
        streams = _streams(threads)
        self._session = open_session(str(path), device, STREAM_THREADS, half=half)
        self._outputs, self._input = list(outputs), self._session.get_inputs()[0]
        self.provider: str = self._session.get_providers()[0]
        self._bound = None if self.provider == "CPUExecutionProvider" else bound_device(device)
        self.precision = _precision(self.provider, self._input.type, half=half)
        self.depth = streams if self._bound is None else 2
        self.batch = 1 if self._bound is None else GPU_BATCH
        self._workers = ThreadPoolExecutor(streams if self._bound is None else 1, "shoal-infer")
        self.card = self._bound and Card(
            self._session, self._input.name, tuple(outputs), *self._bound, self._workers
        )

    def submit(self, tensor: Tensor) -> Pending:
        """See Backend."""
        return self._workers.submit(self._run, tensor).result

    def _run(self, tensor: Tensor) -> Sequence[Floats]:
        try:
            if self._bound is None:
                return list(self._session.run(self._outputs, {self._input.name: tensor}))
            return run_bound(self._session, self._outputs, tensor, *self._bound)
        except SESSION_ERRORS as error:
            raise ModelError(f"the model cannot run on a {tensor.shape} tensor: {error}") from error


def run_bound(
    session: Any, outputs: Sequence[str], tensor: Tensor, device: str, index: int
) -> Sequence[Floats]:
    """One run whose input is copied to the device once and whose outputs come back once, with no copy
    between."""
    binding = session.io_binding()
    value = onnxruntime.OrtValue.ortvalue_from_numpy(tensor, device, index)
    binding.bind_ortvalue_input(session.get_inputs()[0].name, value)
    for name in outputs:
        binding.bind_output(name, device, index)
    session.run_with_iobinding(binding)
    return [np.asarray(output) for output in binding.copy_outputs_to_cpu()]


def bound_device(device: str | None) -> tuple[str, int]:
    """ONNX Runtime's name and number of the device of ``cuda:<index>`` and its like."""
    index = (device or "").partition(":")[2]
    return "cuda", int(index or 0)


def _streams(threads: int) -> int:
    return max(1, (threads or len(os.sched_getaffinity(0))) // STREAM_THREADS)


def _precision(provider: str, element: str, *, half: bool) -> str:
    if element == "tensor(float16)" or (half and provider == "TensorrtExecutionProvider"):
        return "float16"
    return "float32"
