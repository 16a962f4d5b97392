"""A small translucent picture of one thing, drawn from antialiased shapes and laid over a frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
Colour = tuple[float, float, float]

SUBPIXEL_BITS = 4


@dataclass(frozen=True)
class Patch:
    """A picture ready to be laid over a frame: ``colour`` (h, w, 3) times ``alpha`` (h, w), both 0..1."""

    colour: Floats
    alpha: Floats
    left: int
    top: int


class Canvas:
    """A square around ``centre`` (frame pixels). Shapes are in body lengths, turned by ``angle`` radians.

    ``mirror`` swaps left and right first; the square extends ``reach`` body lengths each way.
    """

    def __init__(
        self,
        centre: tuple[float, float],
        size: float,
        angle: float = 0.0,
        mirror: bool = False,
        reach: float = 1.0,
    ) -> None:
        half = int(np.ceil(size * reach)) + 2
        self.left = int(np.floor(centre[0])) - half
        self.top = int(np.floor(centre[1])) - half
        self.alpha = np.zeros((2 * half, 2 * half), np.float32)
        self.colour = np.zeros((2 * half, 2 * half, 3), np.float32)
        self._size = size
        self._offset = np.array([centre[0] - self.left, centre[1] - self.top])
        cosine, sine = np.cos(angle), np.sin(angle)
        flip = -1.0 if mirror else 1.0
        self._low = np.array([2 * half, 2 * half])
        self._high = np.array([0, 0])
        self._turn = np.array([[cosine * flip, sine * flip], [-sine, cosine]])

    def polygon(self, points: npt.ArrayLike, colour: Colour, opacity: float) -> None:
        """Fill a polygon given as (n, 2) body lengths."""
        pixels = self._pixels(points)
        where, corner = self._bounds(pixels, 1)
        mask = np.zeros(self.alpha[where].shape, np.uint8)
        cv2.fillPoly(mask, [pixels - corner], 255, cv2.LINE_AA, SUBPIXEL_BITS)
        self._over(where, mask, colour, opacity)

    def ellipse(
        self, centre: Sequence[float], radii: Sequence[float], colour: Colour, opacity: float
    ) -> None:
        """Fill an ellipse."""
        turn = np.linspace(0.0, 2 * np.pi, 28, endpoint=False)
        points = np.stack([centre[0] + radii[0] * np.cos(turn), centre[1] + radii[1] * np.sin(turn)], axis=1)
        self.polygon(points, colour, opacity)

    def curves(
        self, lines: Sequence[npt.NDArray[np.float64]], width: float, colour: Colour, opacity: float
    ) -> None:
        """Draw open lines as one stroke; ``width`` in body lengths, never thinner than a pixel."""
        pixels = [self._pixels(line) for line in lines]
        thickness = max(1, round(width * self._size))
        where, corner = self._bounds(np.concatenate(pixels), thickness)
        mask = np.zeros(self.alpha[where].shape, np.uint8)
        moved = [line - corner for line in pixels]
        cv2.polylines(mask, moved, False, 255, thickness, cv2.LINE_AA, SUBPIXEL_BITS)
        self._over(where, mask, colour, opacity)

    def patch(self, softness: float, haze: Colour, haze_share: float) -> Patch:
        """The finished picture, blurred by ``softness`` pixels and sunk into ``haze`` (water) by a share."""
        edge = int(np.ceil(3 * softness))
        left, top = (int(low) for low in np.maximum(self._low - edge, 0))
        used = (slice(top, int(self._high[1]) + edge), slice(left, int(self._high[0]) + edge))
        alpha = cv2.GaussianBlur(self.alpha[used], (0, 0), softness)
        colour = cv2.GaussianBlur(self.colour[used], (0, 0), softness)
        colour *= 1 - haze_share
        colour += alpha[..., None] * (np.asarray(haze, np.float32) * haze_share)
        return Patch(colour, alpha, self.left + left, self.top + top)

    def _pixels(self, points: npt.ArrayLike) -> npt.NDArray[np.int32]:
        placed = np.asarray(points, float) @ self._turn * self._size + self._offset
        return np.asarray(np.round(placed * (1 << SUBPIXEL_BITS)), np.int32)

    def _bounds(
        self, pixels: npt.NDArray[np.int32], margin: int
    ) -> tuple[tuple[slice, slice], npt.NDArray[np.int32]]:
        """The part of the square that a shape can touch, and its corner in sub-pixels."""
        low = np.maximum((pixels.min(axis=0) >> SUBPIXEL_BITS) - margin, 0)
        high = (pixels.max(axis=0) >> SUBPIXEL_BITS) + margin + 2
        self._low, self._high = np.minimum(self._low, low), np.maximum(self._high, high)
        return (slice(low[1], high[1]), slice(low[0], high[0])), np.asarray(low << SUBPIXEL_BITS, np.int32)

    def _over(self, where: tuple[slice, slice], mask: Image, colour: Colour, opacity: float) -> None:
        share = mask.astype(np.float32) * np.float32(opacity / 255.0)
        rest = 1 - share
        self.alpha[where] = share + self.alpha[where] * rest
        self.colour[where] *= rest[..., None]
        self.colour[where] += share[..., None] * np.asarray(colour, np.float32)


def window(patch: Patch, height: int, width: int) -> tuple[tuple[slice, slice], tuple[slice, slice]] | None:
    """The part of the frame that a patch covers and that part of the patch, or None when outside."""
    top, left = max(patch.top, 0), max(patch.left, 0)
    bottom = min(patch.top + patch.alpha.shape[0], height)
    right = min(patch.left + patch.alpha.shape[1], width)
    if bottom <= top or right <= left:
        return None
    inside = (slice(top - patch.top, bottom - patch.top), slice(left - patch.left, right - patch.left))
    return (slice(top, bottom), slice(left, right)), inside


def lay(frame: Image, patch: Patch) -> None:
    """Lay a patch over an RGB frame, in place."""
    both = window(patch, frame.shape[0], frame.shape[1])
    if both is None:
        return
    there, here = both
    under = frame[there].astype(np.float32)
    under *= (1 - patch.alpha[here])[..., None]
    under += patch.colour[here] * np.float32(255)
    frame[there] = cv2.convertScaleAbs(under)
