"""For every test: a heap that is searched seldom, and a moto that keeps what it worked out."""

from __future__ import annotations

import functools
import gc
import os

import botocore.session
import hypothesis
import pytest

hypothesis.settings.register_profile("same", derandomize=True, deadline=None, print_blob=True)
hypothesis.settings.register_profile("drawn", deadline=None, print_blob=True)
hypothesis.settings.load_profile("drawn" if os.environ.get("SEED") else "same")

# a client reads its service's description, megabytes of JSON: one loader reads each of them once
botocore.session.create_loader = functools.cache(botocore.session.create_loader)


def pytest_collection_finish() -> None:
    """What was imported stays: no collection need walk it again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


@pytest.fixture(scope="module", autouse=True)
def _quick() -> None:
    from shoal_local import quick

    quick.install()
