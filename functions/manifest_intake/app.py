"""Reads manifests on: when one was submitted, and each minute what an earlier call left."""

from __future__ import annotations

from typing import Any

from shoal import jobs
from shoal.settings import settings

_SPARE_MILLISECONDS = 60_000
"""For the lines that are under way when it stops reading; the next call goes on behind them."""


def lambda_handler(event: object, context: Any) -> dict[str, int]:  # noqa: ARG001 (Lambda's signature)
    """Answers how many manifests were read."""
    bucket = settings().need("data_bucket")
    return {
        "manifests": jobs.manifests.advance_all(
            bucket, lambda: context.get_remaining_time_in_millis() > _SPARE_MILLISECONDS
        )
    }
