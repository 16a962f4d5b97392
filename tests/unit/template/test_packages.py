"""pyproject.toml names every package, so that a wheel would hold what the editable install holds."""

from __future__ import annotations

import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
ROOMS = ("layers/shoal", "worker", "local", "cli", "detector")


def test_every_package_is_named() -> None:
    # Given
    named = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    # When
    found = [
        ".".join(path.parent.relative_to(ROOT / room).parts)
        for room in ROOMS
        for path in (ROOT / room).rglob("__init__.py")
    ]
    # Then
    assert sorted(named) == sorted(found)
