"""An image from a request: its format and size are read from its header before a decoder touches it.

Sources: PNG 3rd edition 11.2.1 (IHDR), ITU-T T.81 B.2.2 (SOF), RFC 9649 (WebP), the BITMAPINFOHEADER page.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shoal_worker.picturefile import decode_picture
from shoal_worker.service.problems import Problem, too_large

MAXIMUM_PIXELS = 50_000_000

_START_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_WITHOUT_LENGTH = frozenset({0x01, *range(0xD0, 0xD9)})


def image_size(data: bytes) -> tuple[int, int] | None:
    """``(width, height)`` of a PNG, JPEG, WebP or BMP by its header; None for anything else."""
    if data[:8] == b"\x89PNG\r\n\x1a\n" and data[12:16] == b"IHDR" and len(data) >= 24:
        return int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
    if data[:2] == b"\xff\xd8":
        return _jpeg_size(data)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP" and len(data) >= 30:
        return _webp_size(data)
    if data[:2] == b"BM" and len(data) >= 26:
        height = int.from_bytes(data[22:26], "little", signed=True)
        return int.from_bytes(data[18:22], "little"), abs(height)
    return None


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    at = 2
    while at + 9 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker in _START_OF_FRAME:
            return int.from_bytes(data[at + 7 : at + 9], "big"), int.from_bytes(data[at + 5 : at + 7], "big")
        if marker == 0xFF:
            at += 1
        elif marker in _WITHOUT_LENGTH:
            at += 2
        else:
            at += 2 + max(2, int.from_bytes(data[at + 2 : at + 4], "big"))
    return None


def _webp_size(data: bytes) -> tuple[int, int] | None:
    kind = data[12:16]
    if kind == b"VP8X":
        return 1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little")
    if kind == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if kind == b"VP8 ":
        return int.from_bytes(data[26:28], "little") & 0x3FFF, int.from_bytes(data[28:30], "little") & 0x3FFF
    return None


def checked_size(data: bytes) -> tuple[int, int]:
    """``(width, height)`` of an image that may be decoded.

    Raises:
        Problem: 415 for another format, 413 for too many pixels.
    """
    size = image_size(data)
    if size is None:
        raise Problem(
            415, "unsupported-media", "The format is not supported", "send a PNG, JPEG, WebP or BMP image"
        )
    if size[0] * size[1] > MAXIMUM_PIXELS:
        raise too_large(
            f"the image has {size[0]}x{size[1]} pixels, at most {MAXIMUM_PIXELS} are taken: scale it down"
        )
    return size


def decode_image(data: bytes) -> NDArray[np.uint8]:
    """The image as RGB, shape ``(height, width, 3)``, uint8; decoded in this process.

    Raises:
        Problem: 415 for another format, 413 for too many pixels.
        PictureError: damaged data.
    """
    checked_size(data)
    return decode_picture(np.frombuffer(data, np.uint8))
