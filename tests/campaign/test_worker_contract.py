"""Thousands of generated requests against the worker's HTTP face: no 5xx, every answer as promised."""

from __future__ import annotations

import os
from pathlib import Path

from worker_contract import check_operation, worker_face

REQUESTS = 5_000 if os.environ.get("FULL") else 1_000


def test_no_generated_request_breaks_the_face(tmp_path: Path) -> None:
    with worker_face(tmp_path) as url:
        seen = check_operation(url, "/predict", "POST", REQUESTS, int(os.environ.get("SEED") or 7))
    print(f"{sum(seen.values())} requests to /predict, answers by status: {dict(sorted(seen.items()))}")
    assert seen.get(200, 0) > 0
