"""Stands in for torchvision, of which ultralytics' ``track`` uses ``ops.nms`` alone: OpenCV's suppression,
which is no slower than torchvision's own on a few hundred boxes."""

import sys
import types

import cv2
import torch

__version__ = "0.28.0"


def nms(boxes: torch.Tensor, scores: torch.Tensor, iou_threshold: float) -> torch.Tensor:
    """As torchvision.ops.nms: the indices that are kept, best first."""
    rectangles = boxes.clone()
    rectangles[:, 2:] -= rectangles[:, :2]
    kept = cv2.dnn.NMSBoxes(rectangles.numpy(), scores.numpy(), 0.0, iou_threshold)
    return torch.as_tensor(kept, dtype=torch.int64).reshape(-1)


ops = types.ModuleType("torchvision.ops")
ops.nms = nms
sys.modules["torchvision.ops"] = ops
for name in ("transforms", "models"):
    sys.modules[f"torchvision.{name}"] = types.ModuleType(f"torchvision.{name}")
