"""The HTTP face against its own OpenAPI document, by generated requests; the campaign sends many more."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import openapi_spec_validator
import pytest
import requests
from shoal_worker.service.shapes import document
from worker_contract import OPERATIONS, check_operation, worker_face

DOCUMENT = Path(__file__).parents[3] / "docs" / "worker-openapi.json"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with worker_face(tmp_path_factory.mktemp("face")) as served:
        yield served


def test_the_committed_document_is_the_generated_one(url: str) -> None:
    written = json.loads(DOCUMENT.read_text())
    advice = "run: python -m shoal_worker.service.shapes > docs/worker-openapi.json"
    assert document() == written == requests.get(f"{url}/openapi.json", timeout=5).json(), advice


def test_it_is_valid() -> None:
    openapi_spec_validator.validate(document())


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_generated_requests_get_the_answers_that_are_promised(path: str, method: str, url: str) -> None:
    seen = check_operation(url, path, method, 40, 7)
    assert 200 in seen
