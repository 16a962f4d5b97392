"""Pictures of a result: an MP4 with the tracks drawn in, and one PNG with every trajectory."""

from __future__ import annotations

import colorsys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import av
import cv2
import numpy as np

from shoal_worker.errors import TrackingStopped
from shoal_worker.frames import Image, TrackTable
from shoal_worker.video import Reader, VideoReader

Colour = tuple[int, int, int]
CODEC = "libvpx-vp9"
"""VP9 in MP4: no patent fee, no GPL (x264 has both), and the current browsers play it."""
MAXIMUM_WIDTH = 1280
"""A wider film takes three times as long to encode, and is for looking at, not for measuring."""
_GOLDEN_SHARE = 0.618033988749895


def colour_of(identity: int) -> Colour:
    """An RGB colour; neighbouring ids are far apart on the wheel."""
    red, green, blue = colorsys.hsv_to_rgb((identity * _GOLDEN_SHARE) % 1.0, 0.75, 1.0)
    return int(red * 255), int(green * 255), int(blue * 255)


def write_annotated_video(
    video: Path,
    table: TrackTable,
    labels: Mapping[int, str],
    output: Path,
    stop: Callable[[], bool] = lambda: False,
    *,
    open_video: Callable[[Path], Reader] = VideoReader,
) -> None:
    """Decode ``video`` again and write it with boxes, ids and labels to ``output`` (.mp4), frame for frame.

    Raises:
        VideoError: the video cannot be read.
        TrackingStopped: ``stop`` said so.
    """
    output.parent.mkdir(parents=True, exist_ok=True)
    part = output.with_name(f".{output.name}.part")
    try:
        with open_video(video) as reader, av.open(str(part), "w", format="mp4") as container:
            stream = container.add_stream(CODEC, rate=reader.info.rate, options=_speed())
            stream.width, stream.height = film_size(reader.info.width, reader.info.height)
            stream.pix_fmt = "yuv420p"
            for image in _annotated(reader, table, labels, (stream.width, stream.height), stop):
                frame = av.VideoFrame.from_ndarray(image, format="rgb24")
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        part.replace(output)
    finally:
        part.unlink(missing_ok=True)


def film_size(width: int, height: int) -> tuple[int, int]:
    """The (width, height) of the annotated video: at most MAXIMUM_WIDTH wide, both sides even as VP9's 4:2:0
    needs."""
    factor = min(1.0, MAXIMUM_WIDTH / width)
    return max(2, round(width * factor) // 2 * 2), max(2, round(height * factor) // 2 * 2)


def draw_trajectories(
    video: Path,
    table: TrackTable,
    labels: Mapping[int, str],
    output: Path,
    *,
    open_video: Callable[[Path], Reader] = VideoReader,
) -> None:
    """Write a PNG: the video's first frame, darkened, with the path of every track's centre and its name."""
    with open_video(video) as reader:
        image: Image = next(iter(reader)).image // 2
    for identity in np.unique(table.ids).tolist():
        boxes = table.detections.boxes[table.ids == identity]
        centres = np.rint((boxes[:, :2] + boxes[:, 2:]) / 2).astype(np.int32)
        _path(image, centres, colour_of(identity))
        _label(
            image,
            (int(centres[-1, 0]), int(centres[-1, 1])),
            f"{identity} {labels[identity]}",
            colour_of(identity),
        )
    output.parent.mkdir(parents=True, exist_ok=True)
    written, encoded = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    if not written:
        raise RuntimeError("OpenCV could not encode a PNG")
    output.write_bytes(encoded.tobytes())


def _speed() -> dict[str, str]:
    return {
        "deadline": "realtime",
        "cpu-used": "8",
        "row-mt": "1",
        "lag-in-frames": "0",
        "crf": "36",
        "b": "0",
    }


def _annotated(
    reader: Reader,
    table: TrackTable,
    labels: Mapping[int, str],
    size: tuple[int, int],
    stop: Callable[[], bool],
) -> Iterator[Image]:
    scale = np.array([size[0] / reader.info.width, size[1] / reader.info.height] * 2)
    for frame in reader:
        if stop():
            raise TrackingStopped("stopped while the annotated video was written; start the video again")
        image = cv2.resize(frame.image, size, interpolation=cv2.INTER_AREA)
        first, end = np.searchsorted(table.frames, [frame.number, frame.number + 1])
        for row in range(first, end):
            identity = int(table.ids[row])
            _box(
                image,
                table.detections.boxes[row] * scale,
                f"{identity} {labels[identity]}",
                colour_of(identity),
            )
        yield image


def _unit(image: Image) -> int:
    return max(1, int(image.shape[0]) // 540)


def _box(image: Image, box: np.ndarray[tuple[int], np.dtype[np.floating]], text: str, colour: Colour) -> None:
    left, top, right, bottom = (int(value) for value in np.rint(box))
    cv2.rectangle(image, (left, top), (right, bottom), colour, _unit(image))
    _label(image, (left, top), text, colour)


def _path(image: Image, centres: np.ndarray[tuple[int, int], np.dtype[np.int32]], colour: Colour) -> None:
    cv2.polylines(image, [centres.reshape(-1, 1, 2)], False, colour, 2 * _unit(image), cv2.LINE_AA)
    for end in (centres[0], centres[-1]):
        cv2.circle(image, (int(end[0]), int(end[1])), 3 * _unit(image), colour, -1, cv2.LINE_AA)


def _label(image: Image, corner: tuple[int, int], text: str, colour: Colour) -> None:
    unit = _unit(image)
    scale = 0.45 * unit
    (width, height), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, unit)
    left = max(0, min(corner[0], image.shape[1] - width))
    base = max(height + 4, corner[1] - 3)
    cv2.rectangle(image, (left, base - height - 4), (left + width, base + 3), (0, 0, 0), -1)
    cv2.putText(image, text, (left, base), cv2.FONT_HERSHEY_SIMPLEX, scale, colour, unit, cv2.LINE_AA)
