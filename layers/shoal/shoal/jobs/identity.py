"""Which work a job is: the same video by the same model with the same settings is done once."""

from __future__ import annotations

import hashlib
import json

from shoal.contracts.deployment import DeploymentSpec
from shoal.jobs import objects

_LENGTH = 32


def basis_of(spec: DeploymentSpec) -> tuple[str, ...]:
    """What all jobs of a deployment share: the model's and the tracker's version, the arguments.

    Raises:
        Denied: the role may not read the model.
        Retryable: S3 did not answer.
    """
    return objects.version(spec.model_location), objects.version(spec.track_config), spec.args


def work_of(basis: tuple[str, ...], video: str, etag: str, args: str) -> str:
    """A digest (SHA-256, shortened) of everything a result depends on.

    The video's key is part of it: the result lies beside the video, so that a copy has a result of its own.
    """
    text = json.dumps([*basis, video, etag, args])
    return hashlib.sha256(text.encode()).hexdigest()[:_LENGTH]
