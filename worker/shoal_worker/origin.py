"""Where a result comes from, in checksums: the video's bytes, the code, and the libraries that computed."""

from __future__ import annotations

import hashlib
import importlib.metadata
import platform
import threading
from functools import cache
from pathlib import Path
from typing import Any

VERSION = "0.1.0"
"""Of this code; a test compares it with pyproject.toml."""

_LIBRARIES = ("av", "numpy", "onnxruntime", "onnxruntime-gpu", "openvino", "opencv-python-headless", "scipy")


@cache
def code_identity() -> dict[str, Any]:
    """``{"version", "sha256", "python", "libraries"}``: the digest is over the text of every module here."""
    digest = hashlib.sha256()
    home = Path(__file__).parent
    for path in sorted(home.rglob("*.py")):
        digest.update(f"{path.relative_to(home).as_posix()}\0".encode() + path.read_bytes() + b"\0")
    return {
        "version": VERSION,
        "sha256": digest.hexdigest(),
        "python": platform.python_version(),
        "libraries": {name: found for name in _LIBRARIES if (found := _version(name))},
    }


def file_digest(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


class Checksum:
    """The SHA-256 and the size of a file, computed in a thread while the file is worked on."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._answer: dict[str, Any] = {}
        self._thread = threading.Thread(target=self._compute, name="shoal-checksum", daemon=True)
        self._thread.start()

    def result(self) -> dict[str, Any]:
        """``{"sha256", "bytes"}``, when the whole file was read; empty where it could not be."""
        self._thread.join()
        return self._answer

    def _compute(self) -> None:
        try:
            self._answer = {"sha256": file_digest(self._path), "bytes": self._path.stat().st_size}
        except OSError:
            self._answer = {}


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""
