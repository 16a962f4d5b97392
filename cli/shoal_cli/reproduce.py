"""`shoal reproduce`: makes a result again and says whether it is the same."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from shoal_cli.console import console, progress
from shoal_cli.errors import CliError


class NotReproduced(CliError):
    """The result cannot be made again, or came out different."""

    exit_code = 10


def reproduce(
    archive: Annotated[Path, typer.Argument(help="the tracks.tar.gz to make again")],
    video: Annotated[Path, typer.Option("--video", help="the video it was made from")],
    model: Annotated[
        Path | None, typer.Option("--model", "-m", help="its .onnx file; ours when left out")
    ] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="folder for the new one")] = Path(
        "reproduced"
    ),
    appearance: Annotated[
        Path | None, typer.Option("--appearance", help="its appearance model (.onnx), where it had one")
    ] = None,
) -> None:
    """Track a video again as its archive says it was, and compare the two archives."""
    from shoal_worker.errors import EngineError
    from shoal_worker.reproduction import reproduce as make_again

    with progress() as bar:
        task = bar.add_task(video.name, total=None)
        try:
            again = make_again(
                archive, video, model or _packaged_model(), output,
                progress=lambda done, total: bar.update(task, completed=done, total=total),
                appearance=appearance,
            )  # fmt: skip
        except EngineError as error:
            raise NotReproduced(str(error)) from error
    for note in again.notes:
        console.print(f"note: {note}", soft_wrap=True)
    if not again.same_tracks:
        raise NotReproduced(f"the tracks differ: {again.archive}", "\n".join(again.notes))
    same = (
        "every member is the same" if not again.differing else f"not the same: {', '.join(again.differing)}"
    )
    console.print(f"{again.archive}: the same tracks; {same}", soft_wrap=True)


def _packaged_model() -> Path:
    import shoal_detector

    return shoal_detector.model_path()
