"""The demo command: what runs, in which order, and what it says at the end."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Annotated

import typer

from shoal_cli import cloud_process
from shoal_cli.connection import connect
from shoal_cli.console import console
from shoal_cli.demo import closing, pictures, scenes, videos
from shoal_cli.demo.stage import Stage

CLOCK = 20.0


def demo(
    video: Annotated[
        Path | None, typer.Option("--video", help="your own video instead of rendered ones")
    ] = None,
    output: Annotated[Path, typer.Option("--output", help="folder for the results, made anew")] = Path(
        "demo-output"
    ),
    clock: Annotated[float, typer.Option(help="seconds of cloud time in one second of yours")] = CLOCK,
) -> None:
    """Deploy a model, track videos, mail the result, remove everything, all on this machine."""
    started = time.monotonic()
    _empty(output)
    found = videos.footage(video, output / "videos")
    state_file = output / "cloud" / "local.json"
    with cloud_process.running(state_file, output / "cloud" / "log.txt", clock=clock):
        stage = Stage(connect(state_file=state_file), output, videos=found)
        _perform(stage)
    shutil.rmtree(state_file.parent / "code", ignore_errors=True)
    closing.print_summary(stage, time.monotonic() - started)


def _perform(stage: Stage) -> None:
    scenes.register(stage)
    scenes.deploy(stage)
    scenes.process(stage)
    pictures.draw(stage)
    scenes.predict(stage, stage.output / "frame.png")
    scenes.delete(stage)
    scenes.refuses(stage)
    scenes.show_mail(stage)
    closing.prove_empty(stage)


def _empty(folder: Path) -> None:
    """A fresh folder, but never somebody else's: only one that this command made is removed."""
    marker = folder / ".made-by-shoal-demo"
    if folder.exists() and any(folder.iterdir()) and not marker.exists():
        raise typer.BadParameter(f"{folder} holds other files; name an empty folder with --output")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    marker.touch()
    console.print(f"results go to {folder}/")
