"""Writes the trained network as ONNX, with the layout and metadata of ultralytics' exports (needs torch)."""

from __future__ import annotations

import json
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnx
import onnxruntime
import torch
from torch.nn.utils.fusion import fuse_conv_bn_eval

from shoal_detector import CLASS_NAMES, MODEL_NAME
from shoal_detector.network import STRIDE, Drifters
from shoal_detector.samples import INPUT_HEIGHT, INPUT_WIDTH

if TYPE_CHECKING:
    from shoal_detector.train import Recipe

OPSET = 18
TOLERANCE = 1e-3


def metadata() -> dict[str, str]:
    """The metadata_props, every value a string, spelled as ultralytics 8 spells them."""
    return {
        "description": "Shoal drifters: rendered jellies, fish and larvaceans",
        "author": "Shoal",
        "version": "1",
        "license": "Apache-2.0",
        "task": "detect",
        "stride": str(STRIDE),
        "batch": "1",
        "channels": "3",
        "imgsz": str([INPUT_HEIGHT, INPUT_WIDTH]),
        "names": str(dict(enumerate(CLASS_NAMES))),
        "args": str({"batch": 1, "half": False, "dynamic": False, "nms": False}),
        "end2end": "False",
    }


def export(network: Drifters, path: Path) -> None:
    """Write ``path``; raises RuntimeError when ONNX Runtime does not answer what torch answers."""
    fused = fuse(network.eval())
    example = torch.rand(1, 3, INPUT_HEIGHT, INPUT_WIDTH, generator=torch.Generator().manual_seed(0))
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / "plain.onnx"
        torch.onnx.export(
            fused,
            (example,),
            str(plain),
            input_names=["images"],
            output_names=["output0"],
            opset_version=OPSET,
            dynamo=True,
            external_data=False,
        )
        model = onnx.load(plain)
    finish(model)
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, path)
    compare(fused, path, example)


def finish(model: onnx.ModelProto) -> None:
    """Put our metadata in place of the exporter's notes on where each node came from."""
    for item in [model, model.graph, *model.graph.node, *model.graph.value_info]:
        del item.metadata_props[:]
        item.doc_string = ""
    model.producer_name, model.producer_version = "shoal", "1"
    model.graph.name = MODEL_NAME
    onnx.helper.set_model_props(model, metadata())
    onnx.checker.check_model(model, full_check=True)


def fuse(network: Drifters) -> Drifters:
    """Fold every batch normalisation into the convolution before it, in place."""
    for part in network.modules():
        if (
            isinstance(part, torch.nn.Sequential)
            and len(part) > 1
            and isinstance(part[1], torch.nn.BatchNorm2d)
        ):
            part[0], part[1] = fuse_conv_bn_eval(part[0], part[1]), torch.nn.Identity()
    return network


def compare(network: Drifters, path: Path, example: torch.Tensor) -> None:
    """Run both; they must agree."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    answer = session.run(None, {"images": example.numpy()})[0]
    with torch.no_grad():
        expected = network(example).numpy()
    worst = float(np.abs(answer - expected).max())
    if worst > TOLERANCE * float(np.abs(expected).max()):
        raise RuntimeError(f"the exported model differs from the trained one by {worst}: do not use {path}")


def write_card(path: Path, recipe: Recipe, seconds: float) -> None:
    """Write ``<model>.json``: how the file came about. ``shoal_detector.score`` adds what it is worth."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    card = {
        "model": path.name,
        "bytes": path.stat().st_size,
        "output": session.get_outputs()[0].shape,
        "torch": torch.__version__,
        "recipe": asdict(recipe),
        "training_seconds": round(seconds),
    }
    path.with_suffix(".json").write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
