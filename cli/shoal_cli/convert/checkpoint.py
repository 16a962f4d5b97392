"""Reads a checkpoint with torch's restricted unpickler: nothing is built but tensors, torch's own layers and
ours.

Source: https://docs.pytorch.org/docs/stable/serialization.html#weights-only-security
"""

from __future__ import annotations

import ast
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from shoal_cli.convert import standins

_V5 = {"common": ("Conv", "Bottleneck", "C3", "SPPF", "Concat")}
_V8 = {
    "conv": ("Conv", "Concat"),
    "block": ("Bottleneck", "C2f", "C3", "SPPF", "DFL", "Attention", "PSABlock", "C2PSA"),
}
_ALIASES = {
    "models.yolo.Detect": standins.DetectV5,
    "models.yolo.DetectionModel": standins.DetectionModel,
    "models.yolo.Model": standins.DetectionModel,
    "ultralytics.nn.modules.head.Detect": standins.DetectV8,
    "ultralytics.nn.tasks.DetectionModel": standins.DetectionModel,
    "ultralytics.nn.modules.block.C3k2": standins.C2f,
    "ultralytics.nn.modules.block.C3k": standins.C3,
    "ultralytics.nn.modules.conv.DWConv": standins.Conv,
}
_UNREADABLE = (pickle.UnpicklingError, RuntimeError, EOFError, AttributeError, ValueError, KeyError, OSError)
_LAYERS = (
    nn.Sequential, nn.ModuleList, nn.Conv2d, nn.BatchNorm2d, nn.SiLU, nn.ReLU, nn.LeakyReLU, nn.Identity,
    nn.MaxPool2d, nn.Upsample,
)  # fmt: skip


class Refused(Exception):
    """The checkpoint is not converted; the message says why and what to do."""


@dataclass(frozen=True)
class Checkpoint:
    """A network ready to be exported; ``layout`` is YOLOv5's or YOLOv8's, ``size`` what it was trained
    with."""

    network: nn.Module
    names: dict[int, str]
    stride: int
    layout: str
    size: int | None

    def input_size(self, height: int, width: int) -> tuple[int, int]:
        """The (height, width) to export for, each as trained where it is 0; raises Refused."""
        usual = self.size or 640
        chosen = (height or usual, width or usual)
        if any(side % self.stride for side in chosen):
            raise Refused(f"the size {chosen[0]}x{chosen[1]} is no multiple of the stride {self.stride}")
        return chosen


def read_checkpoint(path: Path) -> Checkpoint:
    """The detector in a YOLOv5, YOLOv8 or YOLO11 checkpoint, in 32 bits.

    Raises:
        Refused: it names a class that is not known here, or holds no detector.
    """
    allowed: list[Any] = [*_LAYERS, *_standins()]
    try:
        with torch.serialization.safe_globals(allowed):
            content = _read(path)
    except _UNREADABLE as error:
        raise Refused(f"the file is no checkpoint that torch can read ({type(error).__name__})") from error
    network = content.get("ema") or content.get("model") if isinstance(content, dict) else None
    if not isinstance(network, standins.DetectionModel):
        raise Refused(
            "the checkpoint holds no detector, only weights: export it to ONNX where it was trained"
        )
    return _described(network.float().eval(), content)


def _standins() -> list[tuple[type, str]]:
    pairs = [
        (getattr(standins, name), f"models.{module}.{name}")
        for module, names in _V5.items()
        for name in names
    ]
    pairs += [
        (getattr(standins, name), f"ultralytics.nn.modules.{module}.{name}")
        for module, names in _V8.items()
        for name in names
    ]
    return pairs + [(kind, name) for name, kind in _ALIASES.items()]


def _read(path: Path) -> Any:
    """Scanned first, so that what is foreign has a name; then read by torch's restricted unpickler."""
    foreign = _foreign(path)
    if foreign:
        raise Refused(
            f"the checkpoint asks for {', '.join(foreign)}: no layer of YOLOv5, YOLOv8 or YOLO11 that we "
            "know, so nothing was run. Export it to ONNX on the machine where it was trained"
        )
    return torch.load(path, map_location="cpu", weights_only=True)


def _foreign(path: Path) -> list[str]:
    """What the pickle names beyond what is allowed, found by scanning it."""
    try:
        return sorted(torch.serialization.get_unsafe_globals_in_checkpoint(path))
    except _UNREADABLE:
        return []


def _described(network: standins.DetectionModel, content: dict[str, Any]) -> Checkpoint:
    for layer in network.modules():
        if isinstance(layer, nn.Upsample):
            layer.__dict__.setdefault("recompute_scale_factor", None)
    head = network.model[-1]
    if getattr(head, "end2end", False):
        raise Refused("end-to-end heads are not converted: export it to ONNX with ultralytics")
    if not isinstance(head, (standins.DetectV5, standins.DetectV8)):
        raise Refused(f"the last layer is {type(head).__name__}, not a detector's head")
    names = getattr(network, "names", {})
    names = dict(enumerate(names)) if isinstance(names, list) else names
    trained = content.get("train_args") or {}
    size = trained.get("imgsz") if isinstance(trained, dict) else None
    layout = "yolov5" if isinstance(head, standins.DetectV5) else "yolov8"
    stride = int(max(float(side) for side in head.stride))
    return Checkpoint(network, _checked(names), stride, layout, size if isinstance(size, int) else None)


def _checked(names: Any) -> dict[int, str]:
    """Names that can be written down and read back as a literal."""
    texts = {int(index): str(name) for index, name in dict(names).items()}
    return dict(ast.literal_eval(repr(texts)))
