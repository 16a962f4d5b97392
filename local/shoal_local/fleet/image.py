"""What stands in for the container image: worker/Dockerfile's ENTRYPOINT, run by this interpreter."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

DEFAULT_ENTRYPOINT = ("python3", "-m", "shoal_worker")
"""ENTRYPOINT of worker/Dockerfile; a test compares."""

_PATH = "/usr/local/bin:/usr/bin:/bin"


def command_line(entrypoint: Sequence[str], container: dict[str, Any]) -> list[str]:
    """ENTRYPOINT (the task definition's wins) and CMD; ``python`` is this interpreter: there is no image."""
    words = [*(container.get("entryPoint") or entrypoint), *(container.get("command") or [])]
    return [
        sys.executable if index == 0 and word in ("python", "python3") else word
        for index, word in enumerate(words)
    ]


def stage(folder: Path) -> Path:
    """A folder for PYTHONPATH that shows what the image has, no more: shoal_worker and shoal.contracts."""
    application = folder / "app"
    shoal = application / "shoal"
    shoal.mkdir(parents=True, exist_ok=True)
    (shoal / "__init__.py").touch()
    _link(shoal / "contracts", _package("shoal") / "contracts")
    worker = importlib.util.find_spec("shoal_worker")
    if worker and worker.origin:
        _link(application / "shoal_worker", Path(worker.origin).parent)
    return application


def _package(name: str) -> Path:
    found = importlib.util.find_spec(name)
    if found is None or found.origin is None:
        raise ModuleNotFoundError(
            f"{name} is not importable here: run make venv, or set PYTHONPATH as pytest does"
        )
    return Path(found.origin).parent


def _link(link: Path, target: Path) -> None:
    if not link.is_symlink():
        link.symlink_to(target, target_is_directory=True)


def image_environment(application: Path, scratch: Path) -> dict[str, str]:
    """The ENV of worker/Dockerfile, as far as it holds without a container. Nothing of ours leaks in."""
    return {
        "PATH": _PATH,
        "HOME": str(scratch),
        "TMPDIR": str(scratch),
        "SHOAL_WORK_DIR": str(scratch),
        "SHOAL_LOCAL_ONLY": "1",
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(application),
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
