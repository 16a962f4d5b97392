"""The network: a small residual backbone, one level of context, one anchor-free head at stride 8 (torch).

The head is that of FCOS (Tian et al. 2019, arXiv 1904.01355) without its centre branch: the class score is
trained to be the overlap of the box instead (Li et al. 2020, Generalized Focal Loss, arXiv 2006.04388).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from shoal_detector import CLASS_NAMES

STRIDE = 8
PRIOR = 0.02  # the score that every cell begins with


def convolution(inputs: int, outputs: int, size: int = 3, stride: int = 1) -> nn.Sequential:
    """Convolution, batch normalisation, SiLU."""
    layer = nn.Conv2d(inputs, outputs, size, stride, size // 2, bias=False)
    return nn.Sequential(layer, nn.BatchNorm2d(outputs), nn.SiLU(inplace=True))


class Residual(nn.Module):
    """Two convolutions beside an identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(convolution(channels, channels), convolution(channels, channels))

    def forward(self, features: Tensor) -> Tensor:
        """Same shape in and out."""
        return features + self.body(features)


class Drifters(nn.Module):
    """Pictures (b, 3, h, w) of 0..1 in; (b, 4 + classes, cells) out: cx, cy, w, h in pixels, then scores."""

    def __init__(self, classes: int = len(CLASS_NAMES)) -> None:
        super().__init__()
        self.near = nn.Sequential(
            nn.PixelUnshuffle(2),  # half the size without a layer at full width, the dearest one in training
            convolution(12, 32, stride=2),
            convolution(32, 48, stride=2),
            Residual(48),
        )
        self.context = nn.Sequential(convolution(48, 64, stride=2), Residual(64), convolution(64, 48, 1))
        self.merge = nn.Sequential(Residual(48), convolution(48, 48))
        self.scores = nn.Conv2d(48, classes, 1)
        self.sides = nn.Conv2d(48, 4, 1)
        nn.init.constant_(self.scores.bias, -math.log((1 - PRIOR) / PRIOR))
        nn.init.constant_(self.sides.bias, 1.0)

    def raw(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Class logits (b, classes, n) and sides left, top, right, bottom (b, 4, n) in pixels."""
        near = self.near(pictures)
        wide = functional.interpolate(self.context(near), scale_factor=2.0, mode="nearest")
        merged = self.merge(near + wide)
        sides = functional.softplus(self.sides(merged)) * STRIDE
        return self.scores(merged).flatten(2), sides.flatten(2)

    def forward(self, pictures: Tensor) -> Tensor:
        """The layout of YOLOv8's export."""
        logits, sides = self.raw(pictures)
        left, top, right, bottom = sides.unbind(dim=1)
        x, y = cell_centres(pictures.shape[2], pictures.shape[3])
        boxes = [x + (right - left) / 2, y + (bottom - top) / 2, left + right, top + bottom]
        return torch.cat([torch.stack(boxes, dim=1), logits.sigmoid()], dim=1)


def cell_centres(height: int, width: int) -> tuple[Tensor, Tensor]:
    """The pixel coordinates x (n,) and y (n,) of the centres of all cells, row by row."""
    rows = torch.arange(height // STRIDE, dtype=torch.float32) * STRIDE + STRIDE / 2
    columns = torch.arange(width // STRIDE, dtype=torch.float32) * STRIDE + STRIDE / 2
    y, x = torch.meshgrid(rows, columns, indexing="ij")
    return x.flatten(), y.flatten()
