"""The two tables of docs/permissions.md, for tests that hold the template and the end-to-end run to them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

PAGE = Path(__file__).resolve().parents[1] / "docs" / "permissions.md"


def wildcards() -> list[str]:
    """The actions that may be granted on every resource."""
    return _table("Grants on every resource")


def unused_on_purpose() -> list[str]:
    """The statements, or ``statement: action``, that no call in the embedded cloud uses."""
    return _table("Grants that no call")


def unexplained(report: Mapping[str, Any], kind: str = "unused") -> list[str]:
    """The unused (or spare) grants of an IAM report (role by role) that the page does not explain."""
    explained = set(unused_on_purpose())
    found = [(role, grant) for role, entry in sorted(report.items()) for grant in entry[kind]]
    return [
        f"{role} {_name(grant)}"
        for role, grant in found
        if not explained & {grant["statement"], _name(grant)}
    ]


def _name(grant: Mapping[str, str]) -> str:
    return f"{grant['statement']}: {grant.get('action') or grant['resource']}"


def _table(heading: str) -> list[str]:
    """The first column; every row must give a reason."""
    section = PAGE.read_text(encoding="utf-8").split(f"## {heading}")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `([^`]+)` \| *(\S.*?) *\|$", section, re.MULTILINE)
    if len(rows) != section.count("\n| `"):
        raise AssertionError(f"a row of {PAGE.name}, {heading}, gives no reason")
    return [name for name, _ in rows]
