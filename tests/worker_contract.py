"""Generated requests against the worker's HTTP face, judged by its own OpenAPI document."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance
from shoal_worker.service.endpoint import ServiceState, create_app
from shoal_worker.service.inference import load_shared_model
from shoal_worker.service.progress import Activity
from shoal_worker.service.server import HttpServer, open_socket
from shoal_worker.service.settings import read_settings
from shoal_worker.service.shapes import document
from worker_fixtures import write_bright_box_model

OPERATIONS = [("/health", "GET"), ("/status", "GET"), ("/predict", "POST")]


@contextlib.contextmanager
def worker_face(folder: Path) -> Iterator[str]:
    """The URL of a face with a tiny model, on loopback."""
    path = write_bright_box_model(folder / "bright.onnx")
    given_ = {"SHOAL_DEPLOYMENT": "reef", "SHOAL_MODEL": str(path), "SHOAL_SERVES": "endpoint"}
    state = ServiceState(Activity(), folder / "scratch", {"deployment": "reef"})
    state.ready(load_shared_model(path, None, read_settings(given_)))
    listener = open_socket("127.0.0.1", 0)
    server = HttpServer(create_app(state), listener)
    server.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.stop(5)


def check_operation(url: str, path: str, method: str, examples: int, number: int) -> dict[int, int]:
    """Send ``examples`` requests, valid and not; how many answers had each status.

    Raises:
        AssertionError: a 5xx but 503, or an answer that the document does not promise.
    """
    schema = schemathesis.openapi.from_dict(document())
    operation = schema[path][method]
    seen: dict[int, int] = {}
    quiet = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]

    @seed(number)
    @settings(max_examples=examples, deadline=None, database=None, suppress_health_check=quiet,
              phases=[Phase.generate])  # fmt: skip
    @given(case=operation.as_strategy(generation_mode=GenerationMode.NEGATIVE)
           | operation.as_strategy(generation_mode=GenerationMode.POSITIVE))  # fmt: skip
    def send(case: Any) -> None:
        answer = case.call(base_url=url)
        seen[answer.status_code] = seen.get(answer.status_code, 0) + 1
        promised = operation.definition.raw["responses"]
        assert str(answer.status_code) in promised or answer.status_code in {404, 405}, answer.text
        assert answer.status_code < 500 or answer.status_code == 503, answer.text
        case.validate_response(answer, checks=[*_CHECKS])

    send()
    return seen


_CHECKS = (content_type_conformance, response_schema_conformance)
