"""Thousands of mutated videos through the contained decoder: each within its bounds, no worker lost.

Two processes share them. Run with ``SEED=n`` to repeat a sample and ``FULL=1`` for 20,000.
"""

from __future__ import annotations

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor

from hostile_videos import BOUNDS, SECONDS, Batch, merged, run, table

VIDEOS = 20_000 if os.environ.get("FULL") else 2_000
SEED = int(os.environ.get("SEED") or 1)
EACH = 50
PROCESSES = 2


def test_mutated_videos_stay_within_their_bounds() -> None:
    # Given
    batches = [Batch(SEED, number, EACH) for number in range(VIDEOS // EACH)]
    # When
    with ProcessPoolExecutor(PROCESSES, multiprocessing.get_context("spawn")) as pool:
        reports = list(pool.map(run, batches))
    # Then
    whole, workers = merged(reports), {report.process for report in reports}
    print("\n".join(table(whole)))
    print(
        f"SEED={SEED}: {whole.outcomes.total()} mutated videos; decoder deaths contained: "
        f"{whole.outcomes['died']}; escapes: {len(whole.escapes)}; dead workers: {len(workers) - PROCESSES}; "
        f"the slowest took {whole.longest:.1f} s; the largest decoder had {whole.peak / 1024:.0f} MiB; "
        f"{whole.processor / VIDEOS:.2f} s of the processor each"
    )
    assert whole.outcomes.total() == VIDEOS
    assert whole.escapes == []
    assert len(workers) == PROCESSES
    assert whole.longest < 2 * SECONDS
    assert whole.peak * 1024 <= BOUNDS.memory_bytes
