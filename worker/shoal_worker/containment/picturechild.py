"""The contained process for pictures: ``python -m shoal_worker.containment.picturechild <channel> <memory>``.

It confines itself before it sees a byte of a picture, may open no file at all, and decodes one after another:
the encoded bytes and the pixels lie in the shared memory.
"""

from __future__ import annotations

import os
import struct
import sys
from typing import NoReturn

import numpy as np

from shoal_worker.containment.channel import ChannelError, Message, Slots, receive, send
from shoal_worker.containment.confine import confine
from shoal_worker.containment.limits import Limits
from shoal_worker.errors import PictureError

_BITMAP = struct.pack("<2sIIIIiiHH6I4x", b"BM", 58, 0, 54, 40, 1, 1, 1, 24, 0, 4, 0, 0, 0, 0)
"""One black pixel, to load whatever a first picture loads."""


def decode(channel: int, memory: int) -> NoReturn:
    """Confine this process and decode what comes, until the parent is gone."""
    task = receive(channel)
    most_bytes, most_pixels = int(task["most_bytes"]), int(task["most_pixels"])
    os.environ["OPENCV_IO_MAX_IMAGE_PIXELS"] = str(most_pixels)
    # Imported here: OpenCV reads its bound once, when it is loaded.
    from shoal_worker.picturefile import decode_picture

    decode_picture(np.frombuffer(_BITMAP, np.uint8))
    slots = Slots(memory, 1, most_bytes + 3 * most_pixels)
    confinement = confine([], Limits(**task["limits"]))
    send(channel, {"kind": "confined", **confinement.describe()})

    def answer(length: int) -> Message:
        try:
            image = decode_picture(slots.array(0, 0, (length,)))
        except PictureError as error:
            return {"kind": "damaged", "detail": error.detail}
        except MemoryError:
            return {"kind": "damaged", "detail": "the image needs more memory than is allowed: scale it down"}
        np.copyto(slots.array(0, most_bytes, image.shape), image)
        return {"kind": "picture", "height": image.shape[0], "width": image.shape[1]}

    while True:
        send(channel, answer(int(receive(channel)["length"])))


def main() -> int:
    """0: it ends with its parent."""
    try:
        decode(int(sys.argv[1]), int(sys.argv[2]))
    except ChannelError as error:
        return 0 if error.gone else 1


if __name__ == "__main__":
    sys.exit(main())
