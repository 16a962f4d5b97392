"""An encoded picture (PNG, JPEG, WebP, BMP) as an array."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from shoal_worker.errors import PictureError
from shoal_worker.frames import Image


def decode_picture(data: npt.NDArray[np.uint8]) -> Image:
    """The picture in ``data`` (bytes,) as RGB, shape (height, width, 3); of an animated one the first.

    Raises:
        PictureError: damaged or cut short.
    """
    try:
        pixels = cv2.imdecode(data, cv2.IMREAD_COLOR)
    except cv2.error as error:
        raise PictureError("the image is damaged: write it again") from error
    if pixels is None:
        raise PictureError("the image is damaged or cut short: write it again")
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), np.uint8)
