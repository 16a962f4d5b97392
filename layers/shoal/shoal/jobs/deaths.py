"""How a deployment's worker ended last, where that was not as it should: what ECS says of its task.

A worker that was killed for memory cannot write why; ECS's event has the exit code and the reason
(ECS guide, "Amazon ECS task state change events").
"""

from __future__ import annotations

from typing import Any

from shoal import table

_KILLED = 137
"""128 and SIGKILL: the kernel, for memory, or ECS, for a stop that took too long."""
_LONGEST = 300


def note(deployment: str, detail: Any) -> bool:
    """Remember the end that an event tells of; False where it was an ordinary one."""
    words = in_words(detail)
    if not words:
        return False
    item = _key(deployment) | {"words": words, "time": table.now()}
    table.write({"Put": {"Item": item}})
    return True


def last(deployment: str) -> str:
    """The last end that was not as it should, in words; empty where there was none."""
    found = table.read(_key(deployment)) or {}
    return f"{found['words']}, at {found['time']}" if found else ""


def in_words(detail: Any) -> str:
    """``exit code 137, OutOfMemoryError: Container killed due to memory usage``; empty for code 0 or none."""
    containers = detail.get("containers") if isinstance(detail, dict) else None
    for one in containers if isinstance(containers, list) else []:
        code = one.get("exitCode") if isinstance(one, dict) else None
        if isinstance(code, int) and code != 0:
            reason = str(one.get("reason") or ("it was killed" if code == _KILLED else ""))
            return f"exit code {code}{f', {reason}' if reason else ''}"[:_LONGEST]
    return ""


def _key(deployment: str) -> table.Item:
    return {"pk": table.deployment_key(deployment), "sk": "DEATH"}
