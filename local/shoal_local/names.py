"""Constants and the typed ways into moto's backends."""

from __future__ import annotations

from typing import Any

ACCOUNT = "123456789012"
REGION = "us-west-2"
PARTITION = "aws"
HOST = "127.0.0.1"


def backend(service: str) -> Any:
    """moto's backend of a service in our account and region; global services live under the partition."""
    from moto.backends import get_backend

    regions = get_backend(service)[ACCOUNT]
    return regions[REGION] if REGION in regions else regions[PARTITION]


def arn(service: str, resource: str) -> str:
    """``arn:aws:<service>:<region>:<account>:<resource>``."""
    return f"arn:{PARTITION}:{service}:{REGION}:{ACCOUNT}:{resource}"


def role_name(role_arn: str) -> str:
    """The name at the end of a role's ARN, without its path."""
    return role_arn.rsplit("/", 1)[-1]
