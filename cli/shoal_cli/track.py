"""`shoal track` and `shoal retrack`: the worker on local files, no cloud at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from shoal_cli.console import console, progress
from shoal_cli.errors import CliError
from shoal_cli.jobs import find_videos

if TYPE_CHECKING:
    from shoal_worker import Detector, TrackConfig, TrackResult
    from shoal_worker.embedding import Embedder


class TrackingFailed(CliError):
    """The worker could not track the file; its message says what to mend."""

    exit_code = 9


def track(
    videos: Annotated[list[Path], typer.Argument(help="video files or folders")],
    model: Annotated[
        Path | None, typer.Option("--model", "-m", help="an .onnx file; ours when left out")
    ] = None,
    track_config: Annotated[Path | None, typer.Option("--track-config", "-c", help="tracker YAML")] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="folder for the results")] = Path("tracks"),
    args: Annotated[str, typer.Option("--args", help='detector arguments, e.g. "--conf-thres=0.1"')] = "",
    draw: Annotated[bool, typer.Option(help="also write an annotated video and a picture")] = True,
    contained: Annotated[
        bool, typer.Option("--contained", help="decode in a process that can do nothing else (Linux)")
    ] = False,
    decoders: Annotated[
        int, typer.Option(min=1, max=64, help="decoders that share a file, cut at its keyframes")
    ] = 1,
    appearance: Annotated[
        Path | None, typer.Option("--appearance", help="an .onnx file that says what objects look like")
    ] = None,
) -> None:
    """Track local videos on this machine."""
    from shoal_worker import Detector, TrackConfig, parse_options, read_track_config
    from shoal_worker.onnxembedder import embedder_for

    found = find_videos(videos)
    with _advice():
        options = parse_options(args)
        config = read_track_config(track_config) if track_config else TrackConfig()
        detector = Detector(model or _packaged_model(), device=options.device, half=options.half)
        embedder = embedder_for(config, appearance, options)
        for video in found:
            result = track_one(video, detector, output, config, args, draw, contained, decoders, embedder)
            _print(video, result)


def retrack(
    archives: Annotated[list[Path], typer.Argument(help="tracks.tar.gz of earlier runs")],
    track_config: Annotated[
        Path | None, typer.Option("--track-config", "--config", "-c", help="tracker YAML")
    ] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="folder for the results")] = Path(
        "retracked"
    ),
    args: Annotated[str, typer.Option("--args", help='e.g. "--conf-thres=0.3 --online"')] = "",
    appearance: Annotated[
        bool | None,
        typer.Option(help="whether what objects look like counts, where it was kept; else as the YAML says"),
    ] = None,
) -> None:
    """Associate the detections of archives again, without decoding a video."""
    from shoal_worker import retrack as associate_again

    with _advice():
        for archive in archives:
            result = associate_again(
                archive, output, config=track_config, options=args, appearance=appearance
            )
            _print(archive, result)


def track_one(
    video: Path, detector: Detector, output: Path, config: TrackConfig | None, args: str, draw: bool,
    contained: bool = False, decoders: int = 1, embedder: Embedder | None = None,
) -> TrackResult:  # fmt: skip
    """One video with a bar over its frames."""
    from shoal_worker import track_video

    with progress() as bar:
        task = bar.add_task(video.name, total=None)
        return track_video(
            video, detector, output, config=config, options=args,
            annotated=output / f"{video.stem}.annotated.mp4" if draw else None,
            picture=output / f"{video.stem}.trajectories.png" if draw else None,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
            contained=contained, receipt=True, decoders=decoders, appearance=embedder,
        )  # fmt: skip


def _print(video: Path, result: TrackResult) -> None:
    console.print(f"{video.name}: {result.frames} frames, {result.tracks} tracks, {result.fps:.1f} fps")
    console.print(f"  backend: {result.backend}", soft_wrap=True)
    for note in result.notes:
        console.print(f"  note: {note}")
    for path in (result.archive, result.annotated, result.picture):
        if path is not None:
            console.print(f"  {path}", soft_wrap=True)


def _packaged_model() -> Path:
    import shoal_detector

    return shoal_detector.model_path()


@contextmanager
def _advice() -> Iterator[None]:
    """The worker's own errors become ours; they say what to do already."""
    from shoal_worker.errors import EngineError

    try:
        yield
    except EngineError as error:
        raise TrackingFailed(str(error)) from error
