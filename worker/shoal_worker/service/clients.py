"""The AWS clients of one worker process, made once, at its start."""

from __future__ import annotations

from typing import Any

_CONNECT_SECONDS = 3
_READ_SECONDS = 20
_ATTEMPTS = 3


def make_client(service: str, region: str) -> Any:
    """A boto3 client with the worker's timeouts; clients are thread-safe."""
    import boto3
    from botocore.config import Config

    retries = {"mode": "standard", "total_max_attempts": _ATTEMPTS}
    config = Config(connect_timeout=_CONNECT_SECONDS, read_timeout=_READ_SECONDS, retries=retries)
    return boto3.client(service, region_name=region, config=config)
