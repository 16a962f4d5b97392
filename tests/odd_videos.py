"""Videos that are odd, broken or hostile, each written by its own function; for the table of bad input."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from tiny_videos import Picture, picture, write_video

FRAMES = 12
STAMPS = [0, 1, 2, 5, 6, 20, 21, 22, 23, 40, 41, 90]
"""Of the video with a variable frame rate, in thirtieths of a second."""


def draw(number: int) -> Picture:
    return picture([(20 + 4 * number, 48, number % 3)])


def plain(path: Path) -> Path:
    return write_video(path.with_suffix(".mp4"), FRAMES, draw)


def empty(path: Path) -> Path:
    path.with_suffix(".mp4").write_bytes(b"")
    return path.with_suffix(".mp4")


def without_index(path: Path) -> Path:
    """Half of an MP4: its index stands at its end."""
    whole = plain(path)
    whole.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    return whole


def broken_upload(path: Path) -> Path:
    """Half of a Matroska file, which can be read as far as it goes."""
    whole = write_video(path.with_suffix(".mkv"), FRAMES, draw)
    whole.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    return whole


def audio_only(path: Path) -> Path:
    with av.open(str(path.with_suffix(".mp4")), "w") as container:
        stream = container.add_stream("aac", rate=48_000)
        for number in range(4):
            sound = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
            sound.sample_rate, sound.pts = 48_000, number * 1024
            container.mux(stream.encode(sound))
        container.mux(stream.encode(None))
    return path.with_suffix(".mp4")


def variable_rate(path: Path) -> Path:
    return _encoded(path.with_suffix(".mkv"), "mpeg4", "yuv420p", STAMPS)


def ten_bit(path: Path) -> Path:
    return _encoded(path.with_suffix(".mp4"), "libx265", "yuv420p10le", list(range(FRAMES)))


def interlaced(path: Path) -> Path:
    def mark(stream: av.VideoStream) -> None:
        stream.codec_context.flags |= 1 << 18 | 1 << 29  # AV_CODEC_FLAG_INTERLACED_DCT and _ME

    return _encoded(path.with_suffix(".ts"), "mpeg2video", "yuv420p", list(range(FRAMES)), mark)


def rotated(path: Path) -> Path:
    """A quarter turn in the track header's matrix (ISO 14496-12, 8.3.2), as a telephone writes it."""
    whole = plain(path)
    data = bytearray(whole.read_bytes())
    matrix = data.index(b"tkhd") + 4 + 40
    turn = [0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30]
    data[matrix : matrix + 36] = b"".join(value.to_bytes(4, "big", signed=True) for value in turn)
    whole.write_bytes(bytes(data))
    return whole


def large(path: Path) -> Path:
    """3840x2160."""

    def grey(number: int) -> Picture:
        return np.full((2160, 3840, 3), 9 * number, np.uint8)

    return write_video(path.with_suffix(".mp4"), 3, grey)


def no_frames(path: Path) -> Path:
    """A Matroska file that ends behind its header."""
    whole = write_video(path.with_suffix(".mkv"), FRAMES, draw)
    data = whole.read_bytes()
    whole.write_bytes(data[: data.index(b"\x1f\x43\xb6\x75")])
    return whole


def unknown_codec(path: Path) -> Path:
    whole = write_video(path.with_suffix(".mkv"), FRAMES, draw)
    whole.write_bytes(whole.read_bytes().replace(b"V_MPEG4/ISO/ASP", b"V_NOBODY/KNOWS."))
    return whole


def playlist(path: Path) -> Path:
    text = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n/etc/passwd\n#EXT-X-ENDLIST\n"
    path.with_suffix(".mp4").write_text(text)
    return path.with_suffix(".mp4")


def concatenation(path: Path) -> Path:
    path.with_suffix(".mp4").write_text("ffconcat version 1.0\nfile /etc/passwd\n")
    return path.with_suffix(".mp4")


def session(path: Path) -> Path:
    text = "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n"
    path.with_suffix(".mp4").write_text(text)
    return path.with_suffix(".mp4")


def enormous(path: Path) -> Path:
    """An IVF header that claims 65535x65535 pixels."""
    header = b"DKIF" + (0).to_bytes(2, "little") + (32).to_bytes(2, "little") + b"VP90"
    size = (65535).to_bytes(2, "little") * 2
    rest = (30).to_bytes(4, "little") + (1).to_bytes(4, "little") + (9).to_bytes(4, "little") + bytes(4)
    frame = (64).to_bytes(4, "little") + bytes(8) + bytes(64)
    path.with_suffix(".ivf").write_bytes(header + size + rest + frame)
    return path.with_suffix(".ivf")


def _encoded(
    path: Path, codec: str, pixels: str, stamps: list[int],
    mark: Callable[[av.VideoStream], None] = lambda stream: None,
) -> Path:  # fmt: skip
    size = draw(1).shape
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=30)
        stream.height, stream.width, stream.pix_fmt, stream.bit_rate = size[0], size[1], pixels, 4_000_000
        mark(stream)
        for number, stamp in enumerate(stamps, 1):
            frame = av.VideoFrame.from_ndarray(draw(number), format="rgb24").reformat(format=pixels)
            frame.pts, frame.time_base = stamp, Fraction(1, 30)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path
