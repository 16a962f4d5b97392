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
MAXIMUM_UNPACKED = 2 * MAXIMUM_BYTES
"""All members of an archive together: a small one may unpack to terabytes."""
MAXIMUM_TEXT = 1024**2
"""Of the labels, and of a member's name: these are held in memory."""
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
    with labels.open(encoding="utf-8", errors="replace") as stream:
        text = stream.read(MAXIMUM_TEXT)
    return tuple(line.strip() for line in text.splitlines() if line.strip())


def _unpacked(path: Path, folder: Path) -> ModelFile:
    """Streams the first model and the labels into files named by us; no member chooses where it lands."""
    model, labels, names = folder / "model.onnx", folder / LABELS, []
    found = ""
    try:
        with tarfile.open(path, "r|*", tarinfo=_Member) as archive:
            for member in _bounded(archive, path.name):
                name = PurePosixPath(member.name).name
                names.append(name)
                if member.isfile() and name.endswith(".onnx") and not found:
                    found = name
                    _copy(archive, member, model, MAXIMUM_BYTES)
                elif member.isfile() and name == LABELS:
                    _copy(archive, member, labels, MAXIMUM_TEXT)
    except (tarfile.TarError, EOFError, OSError) as error:
        raise ModelError(f"{path.name} cannot be unpacked ({error}): pack the model again") from error
    if found:
        return _described(model, found, labels)
    checkpoint = next((name for name in names if name.endswith((".pt", ".pth"))), None)
    if checkpoint:
        raise ModelError(_TORCH.format(name=checkpoint))
    raise ModelError(f"{path.name} holds no .onnx file: pack one model and, if you like, its labels.txt")


class _Member(tarfile.TarInfo):
    """A member whose name and attributes are of a bounded length: they are read before anyone sees it."""

    def _proc_member(self, archive: tarfile.TarFile) -> tarfile.TarInfo:
        if not self.isreg() and self.size > MAXIMUM_TEXT:
            raise tarfile.ReadError(f"a header of {self.size} bytes")
        return super()._proc_member(archive)  # type: ignore[misc,no-any-return]


def _bounded(archive: tarfile.TarFile, name: str) -> Iterator[tarfile.TarInfo]:
    """The members, as long as they are not too many or too large together."""
    unpacked = 0
    for count, member in enumerate(archive):
        unpacked += member.size
        if count >= MAXIMUM_MEMBERS or unpacked > MAXIMUM_UNPACKED:
            raise ModelError(
                f"{name} holds more than {MAXIMUM_MEMBERS} files or {MAXIMUM_UNPACKED} bytes: "
                "pack the model alone"
            )
        yield member


def _copy(archive: tarfile.TarFile, member: tarfile.TarInfo, target: Path, most: int) -> None:
    if member.size > most:
        raise ModelError(f"{member.name} is larger than {most} bytes: a model may have 2 GiB, labels 1 MiB")
    source = archive.extractfile(member)
    if source is None:
        raise ModelError(f"{member.name} is not a plain file: pack the model itself, not a link")
    with source, target.open("wb") as stream:
        shutil.copyfileobj(source, stream)
