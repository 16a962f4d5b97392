"""One warm world for each test file; a case forks off it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from faults.world import World, world


@pytest.fixture(scope="module")
def warm() -> Iterator[World]:
    with world() as made:
        yield made
