"""Pictures are decoded by contained processes: the same pixels, bounds for bombs, deaths without harm."""

from __future__ import annotations

import os
import struct
import threading
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from shoal_worker.containment import pictures as pictures_module
from shoal_worker.containment.landlock import landlock_version
from shoal_worker.containment.pictures import DECODE_PICTURES, PICTURE_LIMITS, Bounds, PictureDecoders
from shoal_worker.containment.process import ContainedProcess, DecoderStopped
from shoal_worker.containment.seccomp import seccomp_available
from shoal_worker.errors import PictureError
from shoal_worker.picturefile import decode_picture

BOUNDS = Bounds(4_000_000, 2_000_000)
PATIENT, BRIEF = (replace(PICTURE_LIMITS, between_frames=seconds) for seconds in (60.0, 0.5))
NOISE = np.random.default_rng(1).integers(0, 255, (48, 80, 3), np.uint8)
contained = pytest.mark.skipif(
    landlock_version() == 0 or not seccomp_available(), reason="this kernel has no Landlock or no seccomp"
)


def encoded(suffix: str, *flags: int) -> bytes:
    return bytes(cv2.imencode(suffix, NOISE, list(flags))[1])


def animated(suffix: str) -> bytes:
    film = cv2.Animation()
    film.frames, film.durations = [NOISE, 255 - NOISE, NOISE[::-1].copy()], [40] * 3
    return bytes(cv2.imencodeanimation(suffix, film)[1])


def turned() -> bytes:
    """A JPEG with an Exif orientation of 6, a quarter turn (Exif 2.3, 4.6.4)."""
    tiff = b"II*\0\x08\0\0\0\x01\0" + struct.pack("<HHIHH", 0x112, 3, 1, 6, 0) + bytes(4)
    part = b"Exif\0\0" + tiff
    plain = encoded(".jpg")
    return plain[:2] + b"\xff\xe1" + struct.pack(">H", 2 + len(part)) + part + plain[2:]


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, *chunks: bytes) -> bytes:
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(chunks) + chunk(b"IEND", b"")


BOMB = zlib.compress(bytes(30_000_000), 1)


@pytest.fixture(scope="module")
def decoders() -> Iterator[PictureDecoders]:
    made = PictureDecoders(2, BOUNDS)
    yield made
    made.close()


@pytest.mark.parametrize(
    "data",
    [
        encoded(".png"),
        encoded(".jpg"),
        encoded(".jpg", cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
        encoded(".webp", cv2.IMWRITE_WEBP_QUALITY, 80),
        encoded(".bmp"),
        turned(),
        animated(".png"),
        animated(".webp"),
    ],
    ids=["png", "jpeg", "progressive", "webp", "bmp", "turned", "animated png", "animated webp"],
)
def test_the_pixels_are_the_same(data: bytes, decoders: PictureDecoders) -> None:
    expected = decode_picture(np.frombuffer(data, np.uint8))
    assert np.array_equal(decoders.decode(data), expected)


PIXELS = chunk(b"IDAT", zlib.compress(bytes(241 * 48)))


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (png(50_000, 50_000, PIXELS), "damaged"),
        (png(2**31 - 1, 1, PIXELS), "damaged"),
        (encoded(".png")[:-300], "cut short"),
        (encoded(".jpg")[:-300], "cut short"),
        (encoded(".webp")[:-300], "cut short"),
        (encoded(".bmp")[:-300], "cut short"),
        (animated(".webp")[:300], "cut short"),
        (animated(".png")[:300], "cut short"),
        (b"", "damaged"),
        (b"#EXTM3U\n/etc/passwd\n", "cut short"),
        (png(80, 48), "cut short"),
    ],
)
def test_what_cannot_be_decoded_is_told(data: bytes, word: str, decoders: PictureDecoders) -> None:
    with pytest.raises(PictureError, match=word):
        decoders.decode(data)
    assert decoders.decode(encoded(".png")).shape == NOISE.shape


@pytest.mark.parametrize("kind", [b"IDAT", b"zTXt", b"iCCP"])
def test_what_unpacks_to_much_more_than_the_picture_is_dropped(
    kind: bytes, decoders: PictureDecoders
) -> None:
    # Given a picture of 80x48 with a part that unpacks to 30 MB
    data = png(80, 48, chunk(kind, BOMB if kind == b"IDAT" else b"name\0\0" + BOMB), PIXELS)
    # When, Then it is a black picture
    assert decoders.decode(data).shape == (48, 80, 3)
    assert decoders.decode(data).max() == 0


def test_each_thread_gets_its_own_picture(decoders: PictureDecoders) -> None:
    # Given 40 pictures of different values, asked for by eight threads
    pictures = [np.full((9, 7, 3), 6 * value, np.uint8) for value in range(40)]
    # When
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda one: decoders.decode(bytes(cv2.imencode(".png", one)[1])), pictures))
    # Then
    assert all(np.array_equal(one, other) for one, other in zip(found, pictures, strict=True))


@contained
def test_the_process_is_confined_before_it_sees_a_picture() -> None:
    # Given the process as it waits for its first picture
    process = ContainedProcess("an image", 20, DECODE_PICTURES)
    try:
        process.fix_memory(BOUNDS.memory_bytes)
        process.tell(asdict(BOUNDS) | {"limits": asdict(PICTURE_LIMITS)})
        said = process.hear()
        # When
        status = Path(f"/proc/{process.pid}/status").read_text()
        opened = {str(one.readlink()) for one in Path(f"/proc/{process.pid}/fd").iterdir()}
    finally:
        process.close()
    # Then
    assert (said["kind"], said["complete"]) == ("confined", True)
    assert {"Seccomp:\t2", "NoNewPrivs:\t1"} <= set(status.splitlines())
    assert {name.partition(":")[0] for name in opened} == {"/dev/null", "/memfd", "socket"}


SCRIPT = """
import os, sys, time
from shoal_worker.containment.channel import Slots, receive, send
channel, memory = int(sys.argv[1]), int(sys.argv[2])
task = receive(channel)
slots, served = Slots(memory, 1, task["most_bytes"] + 3 * task["most_pixels"]), 0
send(channel, {"kind": "confined"})
while True:
    word = bytes(slots.array(0, 0, (receive(channel)["length"],))).decode()
    if word == "die" or (word == "die of others" and served):
        os.abort()
    if word == "spin":
        time.sleep(60)
    lies = {"size": {"height": 10**9, "width": 1}, "word": {"height": "9"}, "kind": {"kind": "frame"}}
    told = lies.get(word, {"height": 1, "width": 2})
    slots.array(0, task["most_bytes"], (6,))[:4] = list(os.getpid().to_bytes(4, "little"))
    send(channel, {"kind": "picture"} | told)
    served += 1
"""


@pytest.fixture
def taken_over(monkeypatch: pytest.MonkeyPatch) -> Iterator[PictureDecoders]:
    """A decoder that does what the picture says, and else answers its own number as pixels."""
    made = PictureDecoders(1, Bounds(100, 100), PATIENT, ("-c", SCRIPT))
    yield made
    made.close()


def process_of(decoders: PictureDecoders, word: bytes = b"well") -> int:
    return int.from_bytes(decoders.decode(word).tobytes()[:4], "little")


def test_a_process_that_dies_or_lies_costs_one_picture(taken_over: PictureDecoders) -> None:
    seen = [process_of(taken_over)]
    for word in (b"die", b"size", b"word", b"kind"):
        # When
        with pytest.raises(PictureError, match="damaged or hostile"):
            taken_over.decode(word)
        # Then the next picture is decoded, by another
        seen.append(process_of(taken_over))
    assert len(set(seen)) == len(seen)


def test_one_that_spins_is_ended() -> None:
    decoders = PictureDecoders(1, Bounds(100, 100), BRIEF, ("-c", SCRIPT))
    with pytest.raises(PictureError, match="died of it or was ended"):
        decoders.decode(b"spin")
    decoders.close()


def test_a_picture_is_tried_again_where_those_before_it_may_be_to_blame(taken_over: PictureDecoders) -> None:
    before = process_of(taken_over)
    after = process_of(taken_over, b"die of others")
    assert after != before


def test_a_process_is_replaced_after_so_many_pictures(
    taken_over: PictureDecoders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictures_module, "PICTURES_EACH", 3)
    seen = [process_of(taken_over) for _ in range(7)]
    assert [seen.count(process) for process in dict.fromkeys(seen)] == [3, 3, 1]


def test_closing_ends_the_processes(taken_over: PictureDecoders) -> None:
    process = process_of(taken_over)
    taken_over.close()
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


def test_it_outlives_the_thread_that_asked_first(taken_over: PictureDecoders) -> None:
    # Given a thread that asks and ends, as those of a thread pool do
    asked: list[int] = []
    thread = threading.Thread(target=lambda: asked.append(process_of(taken_over)))
    thread.start()
    thread.join()
    # When, Then
    assert process_of(taken_over) == asked[0]


def test_what_a_large_picture_leaves_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given the handle of the shared memory, and a picture of more than is kept
    handles: list[int] = []
    fixed = ContainedProcess.fix_memory

    def noted(self: ContainedProcess, size: int) -> None:
        fixed(self, size)
        handles.append(self.memory)

    monkeypatch.setattr(ContainedProcess, "fix_memory", noted)
    monkeypatch.setattr(pictures_module, "_LARGE", 1_000_000)
    decoders = PictureDecoders(1, BOUNDS)
    # When
    sizes = []
    for side in (100, 700):
        image = decoders.decode(bytes(cv2.imencode(".png", np.full((side, side, 3), 7, np.uint8))[1]))
        assert (image == 7).all()
        sizes.append(os.fstat(handles[0]).st_blocks * 512)
    decoders.close()
    # Then
    assert sizes[0] > 30_000
    assert sizes[1] == 0


def test_one_that_cannot_start_tells_it_to_who_asks() -> None:
    decoders = PictureDecoders(1, BOUNDS, BRIEF, ("-c", "raise SystemExit(3)"))
    with pytest.raises((PictureError, DecoderStopped)):
        decoders.decode(encoded(".png"))
    decoders.close()
