"""Thousands of mutated videos through the contained decoder: each within its bounds, no worker lost.

Run with ``SEED=n`` to repeat a sample and ``FULL=1`` for 20,000.
"""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from media_mutations import mutate, whole_videos
from shoal_worker.containment.limits import Limits
from shoal_worker.containment.process import DecoderStopped
from shoal_worker.containment.reader import ContainedReader
from shoal_worker.errors import VideoError

SHARDS = 8
VIDEOS = (20_000 if os.environ.get("FULL") else 2_000) // SHARDS
SEED = int(os.environ.get("SEED") or 1)
MOST_FRAMES = 2_000
SECONDS = 30.0
BOUNDS = replace(Limits(), between_frames=SECONDS, cpu_seconds=60)


@pytest.mark.parametrize("shard", range(SHARDS))
def test_mutated_videos_stay_within_their_bounds(shard: int, tmp_path: Path) -> None:
    # Given
    chance = random.Random(SEED * SHARDS + shard)
    (tmp_path / "whole").mkdir()
    whole = whole_videos(tmp_path / "whole")
    outcomes: Counter[str] = Counter()
    longest = 0.0
    for number in range(VIDEOS):
        source = chance.choice(whole)
        video = tmp_path / f"mutated{source.suffix}"
        video.write_bytes(mutate(source.read_bytes(), chance))
        # When
        began = time.monotonic()
        outcomes[outcome(video)] += 1
        # Then
        longest = max(longest, time.monotonic() - began)
        assert longest < 2 * SECONDS, f"video {number} of shard {shard}, SEED={SEED}"
        video.unlink()
        assert sorted(path.name for path in tmp_path.iterdir()) == ["whole"]
    print(f"shard {shard}: {VIDEOS} videos, {dict(outcomes)}, the longest took {longest:.2f} s")
    assert sum(outcomes.values()) == VIDEOS


def outcome(video: Path) -> str:
    """How the worker sees it: frames, or an error that says what is wrong; anything else fails the test."""
    try:
        with ContainedReader(video, limits=BOUNDS) as reader:
            assert reader.session.confinement["complete"], reader.session.confinement
            for frame in reader:
                if frame.number >= MOST_FRAMES:
                    return "long"
    except DecoderStopped as stopped:
        return "silent" if "gave no frame" in stopped.detail else "died"
    except VideoError:
        return "unreadable"
    return "decoded"
