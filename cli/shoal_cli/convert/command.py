"""`shoal model convert`: a checkpoint in, an ONNX file out, verified as the worker will verify it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer

from shoal_cli.console import console
from shoal_cli.convert.process import MINUTES, NEEDED, REFUSED
from shoal_cli.errors import CliError

app = typer.Typer(help="Models as files.", no_args_is_help=True)
_START = (
    "import sys; sys.path.insert(0, sys.argv.pop(1)); "
    "from shoal_cli.convert.process import main; sys.exit(main(sys.argv[1:]))"
)
_KEPT = ("PATH", "LANG", "LD_LIBRARY_PATH")


class ConversionFailed(CliError):
    """The checkpoint was not converted; the message says why."""

    exit_code = 10


@app.callback()
def models() -> None:
    """Models as files."""


@app.command()
def convert(
    checkpoint: Annotated[Path, typer.Argument(help="a .pt of YOLOv5, YOLOv8 or YOLO11")],
    output: Annotated[Path | None, typer.Option("--output", "-o", help="the .onnx file to write")] = None,
    size: Annotated[
        str, typer.Option("--imgsz", help="side, or HEIGHTxWIDTH such as 384x640; as trained when left out")
    ] = "",
    python: Annotated[
        Path | None,
        typer.Option(help="an interpreter that has torch, onnx and onnxscript; this one when left out"),
    ] = None,
) -> None:
    """Convert a checkpoint to ONNX in a process of its own; nothing in the file is run."""
    target = output or checkpoint.with_suffix(".onnx")
    if not checkpoint.is_file():
        raise ConversionFailed(f"there is no file {checkpoint}")
    said = convert_checkpoint(checkpoint, target, read_size(size), python or Path(sys.executable))
    height, width = said["size"]
    console.print(
        f"{target}: {said['layout']}, {said['classes']} classes, input {height}x{width}", soft_wrap=True
    )
    if said["difference"] is not None:
        console.print(f"largest difference between the network and its export: {said['difference']:.2g}")


def convert_checkpoint(checkpoint: Path, target: Path, size: tuple[int, int], python: Path) -> dict[str, Any]:
    """Convert, verify, and move the file to ``target``; answers the process's own words about it.

    Raises:
        ConversionFailed: torch is missing, the checkpoint is refused, or what came out is no model for a
        worker.
    """
    from shoal_worker.errors import ModelError
    from shoal_worker.onnxfile import verify_onnx

    with tempfile.TemporaryDirectory(prefix="shoal-convert-", dir=target.parent) as folder:
        made = Path(folder) / "model.onnx"
        said = _run(python, [str(checkpoint.resolve()), str(made.resolve()), *map(str, size)], Path(folder))
        try:
            verify_onnx(made)
        except ModelError as error:
            raise ConversionFailed(f"the converted model is not one that a worker opens: {error}") from error
        made.replace(target)
    return said


def read_size(text: str) -> tuple[int, int]:
    """``640`` or ``384x640`` as (height, width); (0, 0) for nothing; raises ConversionFailed."""
    sides = text.lower().split("x") if text else ["0"]
    if len(sides) > 2 or not all(side.isdigit() for side in sides):
        raise ConversionFailed(f"--imgsz is {text!r}: use 640, or height and width such as 384x640")
    return int(sides[0]), int(sides[-1])


def _run(python: Path, arguments: list[str], folder: Path) -> dict[str, Any]:
    """The process sees no variable of ours but where programs lie: no credentials, no home."""
    environment = {name: os.environ[name] for name in _KEPT if name in os.environ} | {"HOME": str(folder)}
    home = str(Path(__file__).parents[2])
    done = subprocess.run(  # noqa: S603 (our own module, in an interpreter that the user names)
        [str(python), "-I", "-c", _START, home, *arguments],
        env=environment, cwd=folder, capture_output=True, text=True, timeout=MINUTES * 60, check=False,
    )  # fmt: skip
    said = _last_line(done.stdout)
    if done.returncode == NEEDED:
        raise ConversionFailed(
            f"{python} has no {said.get('missing')}: make an environment with "
            "`pip install torch onnx onnxscript` and name its interpreter with --python"
        )
    if done.returncode == REFUSED:
        raise ConversionFailed(str(said.get("refused")))
    if done.returncode != 0 or "size" not in said:
        raise ConversionFailed(f"the conversion ended with {done.returncode}: {done.stderr.strip()[-500:]}")
    return said


def _last_line(text: str) -> dict[str, Any]:
    try:
        said = json.loads(text.strip().rpartition("\n")[2])
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}
