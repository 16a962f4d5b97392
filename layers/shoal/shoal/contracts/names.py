"""Names that cross a boundary, and the names of the AWS resources derived from them."""

from __future__ import annotations

import hashlib
import re
from typing import Annotated

from pydantic import Field

DeploymentName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{1,22}[a-z0-9]$")]
"""3 to 24 characters: lower case letters, digits, hyphens; starts with a letter, ends with no hyphen."""

S3Uri = Annotated[str, Field(pattern=r"^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/[^\x00-\x1f\x7f]{1,1024}$")]
"""An object, never a prefix: ``s3://bucket/key``."""

ModelName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")]
"""A registered model's name."""

HostName = Annotated[
    str,
    Field(max_length=128, pattern=r"^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]$"),
]
"""A full DNS name in lower case, as a load balancer's host condition takes it (at most 128 characters)."""

_DIGEST_LENGTH = 6


def resource_name(environment: str, deployment: str, suffix: str = "", limit: int = 255) -> str:
    """``shoal-<environment>-<deployment>[-suffix]``, shortened with a digest where ``limit`` asks for it.

    Target groups allow 32 characters, queues 80, most others 255. Deterministic: the same arguments always
    give the same name, so that a call whose answer was lost is found again by name.
    """
    name = "-".join(part for part in ("shoal", environment, deployment, suffix) if part)
    if len(name) <= limit:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:_DIGEST_LENGTH]
    return f"{name[: limit - _DIGEST_LENGTH - 1].rstrip('-')}-{digest}"


def split_s3_uri(uri: str) -> tuple[str, str]:
    """``s3://bucket/key`` to ``(bucket, key)``."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key


def deployment_name_from(stack_name: str) -> str:
    """A seed's ``StackName`` or ``registry-name`` as a deployment name; the caller validates the result."""
    lowered = re.sub(r"[^a-z0-9]+", "-", stack_name.lower()).strip("-")
    return lowered[:24].rstrip("-")
