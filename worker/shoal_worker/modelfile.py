"""From what a person hands over (``.onnx``, or ``.tar.gz`` with one inside) to an ONNX file and its
labels."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from shoal_worker.errors import ModelError

MAXIMUM_BYTES = 2 * 1024**3
MAXIMUM_MEMBERS = 10_000
LABELS = "labels.txt"

_TORCH = (
    "{name} is a PyTorch checkpoint: loading one runs code that it carries, so the worker takes ONNX only. "
    "Convert it once on your own machine: `shoal model convert {name}`, which runs none of it; or export it "
    "where it was trained, with `python export.py --weights {name} --include onnx` (YOLOv5) or "
    "`yolo export model={name} format=onnx` (YOLOv8 and later). Then register the .onnx file"
)


@dataclass(frozen=True, slots=True)
class ModelFile:
    """An ONNX file on disk, its digest, and the lines of the ``labels.txt`` beside it (empty: there is
    none)."""

    path: Path
    name: str
    sha256: str
    labels: tuple[str, ...]


@contextlib.contextmanager
def model_file(path: Path) -> Iterator[ModelFile]:
    """The ONNX file behind ``path``; what is unpacked lives until the block ends.

    Raises:
        ModelError: no such file, a checkpoint, a kind that is not known, or an archive without a model.
    """
    if not path.is_file():
        raise ModelError(f"there is no model at {path}: check the path, or `model_location` in the registry")
    if path.suffix == ".onnx":
        yield _described(path, path.name, path.parent / LABELS)
        return
    if path.suffix in {".pt", ".pth", ".torchscript"}:
        raise ModelError(_TORCH.format(name=path.name))
    if not path.name.endswith((".tar.gz", ".tgz", ".tar")):
        raise ModelError(f"{path.name} is not a model: use an .onnx file, or a .tar.gz that holds one")
    with tempfile.TemporaryDirectory(prefix="shoal-model-") as folder:
        yield _unpacked(path, Path(folder))


def _described(path: Path, name: str, labels: Path) -> ModelFile:
    if path.stat().st_size > MAXIMUM_BYTES:
        raise ModelError(f"{name} is larger than 2 GiB, which ONNX itself does not allow in one file")
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return ModelFile(path, name, digest, _lines(labels))


def _lines(labels: Path) -> tuple[str, ...]:
    if not labels.is_file():
        return ()
    text = labels.read_text(encoding="utf-8", errors="replace")
    return tuple(line.strip() for line in text.splitlines() if line.strip())


def _unpacked(path: Path, folder: Path) -> ModelFile:
    """Streams the first model and the labels into files named by us; no member chooses where it lands."""
    model, labels, names = folder / "model.onnx", folder / LABELS, []
    found = ""
    try:
        with tarfile.open(path, "r|*") as archive:
            for count, member in enumerate(archive):
                if count >= MAXIMUM_MEMBERS:
                    raise ModelError(
                        f"{path.name} holds more than {MAXIMUM_MEMBERS} files: pack the model alone"
                    )
                name = PurePosixPath(member.name).name
                names.append(name)
                if member.isfile() and name.endswith(".onnx") and not found:
                    found = name
                    _copy(archive, member, model)
                elif member.isfile() and name == LABELS:
                    _copy(archive, member, labels)
    except (tarfile.TarError, EOFError, OSError) as error:
        raise ModelError(f"{path.name} cannot be unpacked ({error}): pack the model again") from error
    if found:
        return _described(model, found, labels)
    checkpoint = next((name for name in names if name.endswith((".pt", ".pth"))), None)
    if checkpoint:
        raise ModelError(_TORCH.format(name=checkpoint))
    raise ModelError(f"{path.name} holds no .onnx file: pack one model and, if you like, its labels.txt")


def _copy(archive: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> None:
    if member.size > MAXIMUM_BYTES:
        raise ModelError(f"{member.name} is larger than 2 GiB, which ONNX itself does not allow in one file")
    source = archive.extractfile(member)
    if source is None:
        raise ModelError(f"{member.name} is not a plain file: pack the model itself, not a link")
    with source, target.open("wb") as stream:
        shutil.copyfileobj(source, stream)
