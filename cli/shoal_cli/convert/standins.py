"""Our own classes in the place of those that a checkpoint names: they hold its weights and know how to
compute.

A checkpoint is a pickle of objects. torch's restricted reader builds only classes that are handed to it, and
these are; their attributes come from the file, their code from here. Written from the published architectures
of YOLOv5, YOLOv8 and YOLO11.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Conv(nn.Module):
    """Convolution, normalisation, activation."""

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.bn(self.conv(x)))


class Bottleneck(nn.Module):
    """Two convolutions with a way around them."""

    def forward(self, x: Tensor) -> Tensor:
        inner = self.cv2(self.cv1(x))
        return x + inner if self.add else inner


class C3(nn.Module):
    """Three convolutions, one branch through ``m``."""

    def forward(self, x: Tensor) -> Tensor:
        return self.cv3(torch.cat((self.m(self.cv1(x)), self.cv2(x)), 1))


class C2f(nn.Module):
    """Two convolutions, every inner result kept."""

    def forward(self, x: Tensor) -> Tensor:
        parts = list(self.cv1(x).chunk(2, 1))
        for block in self.m:
            parts.append(block(parts[-1]))
        return self.cv2(torch.cat(parts, 1))


class SPPF(nn.Module):
    """Three poolings, one after the other."""

    def forward(self, x: Tensor) -> Tensor:
        parts = [self.cv1(x)]
        for _ in range(getattr(self, "n", 3)):
            parts.append(self.m(parts[-1]))
        answer = self.cv2(torch.cat(parts, 1))
        return answer + x if getattr(self, "add", False) else answer


class Concat(nn.Module):
    """Along the channels."""

    def forward(self, x: list[Tensor]) -> Tensor:
        return torch.cat(x, self.d)


class Attention(nn.Module):
    """Self-attention with a convolution for the position."""

    def forward(self, x: Tensor) -> Tensor:
        batch, channels, height, width = x.shape
        size = (self.key_dim, self.key_dim, self.head_dim)
        joint = self.qkv(x).view(batch, self.num_heads, sum(size), height * width)
        query, key, value = joint.split(size, 2)
        weights = ((query.transpose(-2, -1) @ key) * self.scale).softmax(-1)
        seen = (value @ weights.transpose(-2, -1)).view(batch, channels, height, width)
        return self.proj(seen + self.pe(value.reshape(batch, channels, height, width)))


class PSABlock(nn.Module):
    """Attention, then two convolutions."""

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(x) if self.add else self.attn(x)
        return x + self.ffn(x) if self.add else self.ffn(x)


class C2PSA(nn.Module):
    """Half of the channels through attention."""

    def forward(self, x: Tensor) -> Tensor:
        first, second = self.cv1(x).split((self.c, self.c), 1)
        return self.cv2(torch.cat((first, self.m(second)), 1))


class DFL(nn.Module):
    """The expected distance of a distribution over bins."""

    def forward(self, x: Tensor) -> Tensor:
        batch, _, anchors = x.shape
        bins = x.view(batch, 4, self.c1, anchors).transpose(2, 1).softmax(1)
        return self.conv(bins).view(batch, 4, anchors)


def _centres(height: int, width: int, offset: float) -> Tensor:
    rows, columns = torch.meshgrid(
        torch.arange(height, dtype=torch.float32), torch.arange(width, dtype=torch.float32), indexing="ij"
    )
    return torch.stack((columns, rows), -1) + offset


class DetectV8(nn.Module):
    """The head of YOLOv8 and 11: (1, 4 + classes, N), centre boxes in pixels."""

    def forward(self, x: list[Tensor]) -> Tensor:
        boxes, scores, anchors, strides = [], [], [], []
        for level, features in enumerate(x):
            boxes.append(self.cv2[level](features).flatten(2))
            scores.append(self.cv3[level](features).flatten(2))
            height, width = int(features.shape[2]), int(features.shape[3])
            anchors.append(_centres(height, width, 0.5).view(-1, 2))
            strides.append(torch.full((height * width,), float(self.stride[level])))
        points, scale = torch.cat(anchors).T[None], torch.cat(strides)[None, None]
        near, far = self.dfl(torch.cat(boxes, 2)).chunk(2, 1)
        first, last = points - near, points + far
        centred = torch.cat(((first + last) / 2, last - first), 1) * scale
        return torch.cat((centred, torch.cat(scores, 2).sigmoid()), 1)


class DetectV5(nn.Module):
    """The head of YOLOv5: (1, N, 5 + classes), centre boxes in pixels."""

    def forward(self, x: list[Tensor]) -> Tensor:
        rows = []
        for level, features in enumerate(x):
            raw = self.m[level](features)
            batch, _, height, width = raw.shape
            raw = raw.view(batch, self.na, self.no, height, width).permute(0, 1, 3, 4, 2).sigmoid()
            stride = float(self.stride[level])
            grid = _centres(int(height), int(width), -0.5)[None, None]
            anchors = (self.anchors[level].float() * stride).view(1, self.na, 1, 1, 2)
            place = (raw[..., :2] * 2 + grid) * stride
            size = (raw[..., 2:4] * 2) ** 2 * anchors
            rows.append(torch.cat((place, size, raw[..., 4:]), -1).reshape(batch, -1, self.no))
        return torch.cat(rows, 1)


class DetectionModel(nn.Module):
    """Layers in a row, each fed from those that its ``f`` names."""

    def forward(self, x: Tensor) -> Tensor:
        kept: list[Tensor | None] = []
        for layer in self.model:
            if layer.f != -1:
                sources = [layer.f] if isinstance(layer.f, int) else layer.f
                inputs = [x if source == -1 else kept[source] for source in sources]
                x = inputs[0] if isinstance(layer.f, int) else inputs
            x = layer(x)
            kept.append(x if layer.i in self.save else None)
        return x
