"""What every event on EventBridge has around it."""

from __future__ import annotations

import time
import uuid
from typing import Any

from shoal_local.names import ACCOUNT, REGION


def envelope(source: str, kind: str, resource: str, detail: dict[str, Any]) -> dict[str, Any]:
    """An event of an AWS service about one resource, as of now (EventBridge guide, "Events structure");
    ``kind`` is its ``detail-type``."""
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": kind,
        "source": source,
        "account": ACCOUNT,
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "region": REGION,
        "resources": [resource],
        "detail": detail,
    }
