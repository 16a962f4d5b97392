"""The demo's footage: rendered by our own renderer, or a person's own file."""

from __future__ import annotations

import concurrent.futures
from pathlib import Path

from shoal_cli.console import progress
from shoal_cli.errors import CliError
from shoal_cli.jobs import find_videos

SEEDS = (101, 202)
"""Held out: the detector was not trained on these."""
FRAMES = 150


def footage(own: Path | None, folder: Path) -> list[Path]:
    """A person's video as it is, or two rendered ones with known truth beside them."""
    return find_videos([own]) if own else render(folder)


def render(folder: Path) -> list[Path]:
    """Render the demo's videos, one process each, with a bar over both."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"reef_{seed}.mp4" for seed in SEEDS]
    with progress() as bar, concurrent.futures.ProcessPoolExecutor(max_workers=2) as pool:
        task = bar.add_task("rendering videos of moving organisms", total=len(paths))
        pending = [pool.submit(_render_one, path, seed) for path, seed in zip(paths, SEEDS, strict=True)]
        for done in concurrent.futures.as_completed(pending):
            done.result()
            bar.advance(task)
    if not all(path.stat().st_size for path in paths):
        raise CliError("the renderer wrote an empty video")
    return paths


def _render_one(path: Path, seed: int) -> None:
    from shoal_detector.render import render_video

    render_video(path, seed=seed, frames=FRAMES)
