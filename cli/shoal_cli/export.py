"""`shoal export`: results in the forms that other tools open."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from shoal_cli.console import console
from shoal_cli.errors import CliError


class Format(StrEnum):
    """What an archive can be written as."""

    MOT = "mot"
    COCO = "coco"
    CVAT = "cvat"
    PARQUET = "parquet"
    SHEET = "sheet"


class ExportFailed(CliError):
    """The archive cannot be exported; the message says what to mend."""

    exit_code = 9


def export(
    archives: Annotated[list[Path], typer.Argument(help="tracks.tar.gz files")],
    kind: Annotated[Format, typer.Option("--format", "-f", help="what to write")],
    output: Annotated[Path, typer.Option("--output", "-o", help="folder for the files")] = Path("exports"),
    video: Annotated[
        Path | None, typer.Option("--video", help="the video, or its folder, for a contact sheet")
    ] = None,
) -> None:
    """Write results as MOTChallenge, COCO, CVAT XML, Parquet or a contact sheet."""
    from shoal_worker.errors import EngineError
    from shoal_worker.exports import export_archive

    for archive in archives:
        try:
            if kind is Format.SHEET:
                written = _sheet(archive, output, video)
            else:
                written = export_archive(archive, kind.value, output)
        except EngineError as error:
            raise ExportFailed(str(error)) from error
        console.print(str(written), soft_wrap=True)


def _sheet(archive: Path, output: Path, video: Path | None) -> Path:
    from shoal_worker.exports import read_content
    from shoal_worker.exports.contact_sheet import write_contact_sheet
    from shoal_worker.video import VideoReader

    content = read_content(archive)
    if video is None:
        raise ExportFailed("a contact sheet is cut from the video", advice="give it with --video")
    target = output / f"{content.stem}.sheet.png"
    with VideoReader(video / content.name if video.is_dir() else video) as reader:
        write_contact_sheet(content, reader, target)
    return target
