"""What the network is trained towards: which cell answers for which animal, and what a mistake costs."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from shoal_detector.network import STRIDE

CENTRE_RADIUS = 1.5 * STRIDE  # FCOS's centre sampling
BOX_WEIGHT = 2.0
FOCUS = (
    1.0  # 2 in the paper: faint false alarms weigh more here, because the tracker begins at a score of 0.25
)


def assign(boxes: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """For each cell the index of the box that it answers for, -1 for none; a smaller box wins.

    ``boxes`` (m, 4) corners in pixels, ``x`` and ``y`` (n,) the cells' centres.
    """
    if len(boxes) == 0:
        return torch.full(x.shape, -1)
    middle_x, middle_y = (boxes[:, 0] + boxes[:, 2]) / 2, (boxes[:, 1] + boxes[:, 3]) / 2
    half_x = ((boxes[:, 2] - boxes[:, 0]) / 2).clamp(min=STRIDE / 2, max=CENTRE_RADIUS)
    half_y = ((boxes[:, 3] - boxes[:, 1]) / 2).clamp(min=STRIDE / 2, max=CENTRE_RADIUS)
    close = ((x[:, None] - middle_x).abs() <= half_x) & ((y[:, None] - middle_y).abs() <= half_y)
    size = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    cost = torch.where(close, size[None].expand_as(close), torch.inf)
    smallest, index = cost.min(dim=1)
    return torch.where(smallest.isinf(), -1, index)


def overlaps(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """IoU and generalised IoU (Rezatofighi et al. 2019, arXiv 1902.09630) of paired corners (n, 4)."""
    low, high = torch.maximum(first[:, :2], second[:, :2]), torch.minimum(first[:, 2:], second[:, 2:])
    shared = (high - low).clamp(min=0).prod(dim=1)
    union = (first[:, 2:] - first[:, :2]).prod(dim=1) + (second[:, 2:] - second[:, :2]).prod(dim=1) - shared
    hull_low, hull_high = (
        torch.minimum(first[:, :2], second[:, :2]),
        torch.maximum(first[:, 2:], second[:, 2:]),
    )
    hull = (hull_high - hull_low).prod(dim=1)
    iou = shared / union.clamp(min=1e-6)
    return iou, iou - (hull - union) / hull.clamp(min=1e-6)


def detection_loss(logits: Tensor, sides: Tensor, owners: Tensor, boxes: Tensor, labels: Tensor) -> Tensor:
    """Quality focal loss on the scores plus generalised IoU loss on the boxes, per answering cell.

    ``logits`` (b*n, classes), ``sides`` (b*n, 4) corners in pixels, ``owners`` (b*n,) an index into ``boxes``
    (m, 4) and ``labels`` (m,), or -1.
    """
    answering = owners >= 0
    target = torch.zeros_like(logits)
    count = answering.sum().clamp(min=1)
    iou, giou = overlaps(sides[answering], boxes[owners[answering]])
    target[answering, labels[owners[answering]]] = iou.detach().clamp(min=0)
    error = (target - logits.sigmoid()).abs().detach() ** FOCUS
    entropy = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    return (error * entropy).sum() / count + BOX_WEIGHT * (1 - giou).sum() / count
