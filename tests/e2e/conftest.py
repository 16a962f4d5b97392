"""One embedded cloud for the whole end-to-end run, and one deployed model to talk about."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import grants_used
import pytest
from house import CLOCK, SEED_BUCKETS, House
from shoal_local.clock import Clock
from shoal_local.cloud import Cloud


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("cloud")
    with Cloud(clock=Clock(CLOCK), state_folder=folder, parameters={"ModelBuckets": SEED_BUCKETS}) as cloud:
        yield House(cloud)
        grants_used.keep(cloud.iam_report())


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short rendered video that the detector was not trained on."""
    from shoal_detector.render import render_video

    path = tmp_path_factory.mktemp("videos") / "reef.mp4"
    render_video(path, seed=303, frames=60)
    return path
