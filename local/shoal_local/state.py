"""``.shoal/local.json``: how the command line finds a running cloud."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from shoal_local.cloud import Cloud


def write_state(file: Path, cloud: Cloud) -> Path:
    """Write it whole or not at all, readable by its owner only: it holds the administrator's keys."""
    file.parent.mkdir(parents=True, exist_ok=True)
    document = {
        **cloud.summary(),
        "access_key": cloud.credentials["AWS_ACCESS_KEY_ID"],
        "secret_key": cloud.credentials["AWS_SECRET_ACCESS_KEY"],
    }
    fresh = file.with_suffix(f".{os.getpid()}")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as sink:
        json.dump(document, sink, indent=2)
    return fresh.replace(file)


def read_state(file: Path) -> dict[str, Any] | None:
    """The last cloud's state; None when there is none. The process may be gone."""
    if not file.exists():
        return None
    document: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return document


def remove_state(file: Path) -> None:
    file.unlink(missing_ok=True)
