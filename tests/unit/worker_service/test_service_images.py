"""An image's size is known before a decoder runs; bombs and damage are refused."""

from __future__ import annotations

import struct
import zlib

import cv2
import numpy as np
import pytest
from shoal_worker.service.images import decode_image, image_size
from shoal_worker.service.problems import Problem

PICTURE = np.full((48, 80, 3), (200, 100, 50), np.uint8)


def encoded(suffix: str, *flags: int) -> bytes:
    return bytes(cv2.imencode(suffix, PICTURE, list(flags))[1])


def png_header(width: int, height: int) -> bytes:
    chunk = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))


def webp_extended(width: int, height: int) -> bytes:
    body = b"VP8X" + struct.pack("<I", 10) + bytes(4) + (width - 1).to_bytes(3, "little")
    return b"RIFF" + bytes(4) + b"WEBP" + body + (height - 1).to_bytes(3, "little")


@pytest.mark.parametrize(
    "data",
    [
        encoded(".png"),
        encoded(".jpg"),
        encoded(".jpg", cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
        encoded(".webp", cv2.IMWRITE_WEBP_QUALITY, 80),
        encoded(".webp", cv2.IMWRITE_WEBP_QUALITY, 101),
        encoded(".bmp"),
        webp_extended(80, 48),
        b"\xff\xd8\xff\xff" + encoded(".jpg")[3:],
    ],
)
def test_the_header_tells_the_size(data: bytes) -> None:
    assert image_size(data) == (80, 48)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".bmp"])
def test_a_picture_is_decoded_to_rgb(suffix: str) -> None:
    decoded = decode_image(encoded(suffix))
    assert decoded.shape == (48, 80, 3)
    assert np.abs(decoded[24, 40].astype(int) - (50, 100, 200)).max() < 6


@pytest.mark.parametrize(
    ("data", "status", "word"),
    [
        (b"", 415, "PNG, JPEG, WebP or BMP"),
        (b"GIF89a" + bytes(40), 415, "PNG, JPEG, WebP or BMP"),
        (b"#EXTM3U\nhttp://169.254.169.254/", 415, "PNG, JPEG, WebP or BMP"),
        (b"\xff\xd8" + bytes(40), 415, "PNG, JPEG"),
        (b"\xff\xd8\xff\xe0\x00\x00" * 9, 415, "PNG, JPEG"),
        (png_header(100_000, 100_000), 413, "scale it down"),
        (webp_extended(16_000, 16_000), 413, "scale it down"),
    ],
)
def test_what_is_no_picture_is_refused(data: bytes, status: int, word: str) -> None:
    with pytest.raises(Problem) as raised:
        decode_image(data)
    assert (raised.value.status, word in raised.value.detail) == (status, True)
