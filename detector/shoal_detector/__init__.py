"""A small detector of our own: a renderer of underwater scenes, its training, and the ONNX file they made."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

CLASS_NAMES: tuple[str, ...] = ("jelly", "fish", "larvacean")
MODEL_NAME = "drifters"


def model_path() -> Path:
    """Where the packaged ``drifters.onnx`` lies on disk."""
    return Path(str(files(__package__) / "models" / f"{MODEL_NAME}.onnx"))
