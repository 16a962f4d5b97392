"""Reading videos: frames are counted in decode order, and a file that is no video says what is wrong."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from shoal_worker.errors import VideoError
from shoal_worker.readahead import read_ahead
from shoal_worker.video import VideoReader, probe_video
from tiny_videos import picture, write_video

CLIPS = Path(__file__).parents[4] / "shared" / "data" / "deepsea"
deepsea = pytest.mark.skipif(not CLIPS.is_dir(), reason="the deep-sea clips are not beside the project")


def _ramp(number: int) -> np.ndarray:
    return np.full((48, 64, 3), 8 * number, np.uint8)


@pytest.mark.parametrize(
    ("suffix", "first_pts", "b_frames"),
    [(".mp4", 0, 0), (".mkv", 15, 0), (".mp4", 15, 0), (".mkv", 0, 2)],
    ids=["plain", "starts late", "starts late in mp4", "b-frames"],
)
def test_frames_are_numbered_from_one_in_the_order_shown(tmp_path, suffix, first_pts, b_frames):
    # Given a video whose n-th frame is a grey of 8 n
    path = write_video(tmp_path / f"ramp{suffix}", 20, _ramp, first_pts=first_pts, b_frames=b_frames)
    # When it is read
    with VideoReader(path) as reader:
        frames = list(reader)
    # Then every frame carries the number of its picture, whatever the container says about time
    assert [frame.number for frame in frames] == list(range(1, 21))
    assert [round(float(frame.image.mean()) / 8) for frame in frames] == list(range(1, 21))
    times = [frame.pts for frame in frames]
    assert times == sorted(times)
    assert len(set(times)) == 20


def test_the_probe_tells_size_rate_and_codec(tmp_path):
    # Given a video of 20 frames
    path = write_video(tmp_path / "ramp.mp4", 20, _ramp)
    # When it is probed
    info = probe_video(path)
    # Then the header's facts are there
    assert (info.name, info.width, info.height, info.fps) == ("ramp.mp4", 64, 48, 30.0)
    assert (info.codec, info.expected_frames, info.start_seconds) == ("mpeg4", 20, 0.0)


def _text(path: Path) -> None:
    path.write_text("not a video", encoding="utf-8")


def _nothing(path: Path) -> None:
    path.write_bytes(b"")


def _truncated(path: Path) -> None:
    whole = write_video(path.with_name("whole.mp4"), 20, _ramp).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])


def _sound_only(path: Path) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        sound.sample_rate = 8000
        container.mux(stream.encode(sound))
        container.mux(stream.encode(None))


def _playlist(path: Path) -> None:
    write_video(path.with_name("another-job.ts"), 20, _ramp, codec="mpeg2video")
    lines = ["#EXTM3U", "#EXT-X-TARGETDURATION:1", "#EXTINF:1,", "another-job.ts", "#EXT-X-ENDLIST", ""]
    path.write_text("\n".join(lines), encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "make", "says"),
    [
        ("a.mp4", _text, "not a video"),
        ("b.mp4", _nothing, "not a video"),
        ("c.mp4", _truncated, "not a video"),
        ("d.mkv", _sound_only, "no video stream"),
        ("e.m3u8", _playlist, "not a video"),
        ("f.mp4", lambda path: None, "there is no file"),
    ],
)
def test_what_is_no_video_is_refused_with_its_reason(tmp_path, name, make, says):
    # Given a file that cannot be decoded
    make(tmp_path / name)
    # When it is read, Then the error names the file and the reason
    with pytest.raises(VideoError, match=says):
        list(VideoReader(tmp_path / name))


@pytest.mark.parametrize("codec", ["mpeg4", "mpeg2video"], ids=["decoder complains", "decoder says nothing"])
def test_damaged_packets_are_counted_and_the_rest_is_read(tmp_path, codec):
    # Given a video, one packet of which is overwritten in the middle of the file
    path = write_video(tmp_path / "ramp.mkv", 12, lambda n: picture([(5 * n, 40, 0)]), codec=codec)
    data = bytearray(path.read_bytes())
    with av.open(str(path)) as container:
        packet = [packet for packet in container.demux(video=0) if packet.size][5]
        start = data.index(bytes(packet))
        data[start : start + packet.size] = b"\xff" * packet.size
    path.write_bytes(bytes(data))
    # When it is read
    with VideoReader(path) as reader:
        count = sum(1 for _ in reader)
    # Then no frame is lost without a word
    assert count + reader.damaged == 12
    assert reader.damaged >= 1


@deepsea
@pytest.mark.data
@pytest.mark.parametrize("clip", ["V4361_20211006T162656Z_h265_1sec", "V4361_20211006T163856Z_h265_1sec"])
def test_the_deep_sea_clips_hold_32_frames(clip):
    # Given a clip that starts at half a second, inside a container with sound from zero
    with VideoReader(CLIPS / f"{clip}.mp4") as reader:
        # When it is read
        frames = [(frame.number, frame.pts) for frame in reader]
    # Then there are exactly its 32 frames, with the time stamps of the stream
    assert [number for number, _ in frames] == list(range(1, 33))
    assert (frames[0][1], reader.info.start_seconds, reader.info.fps) == (
        30000,
        0.5,
        pytest.approx(59.94, abs=0.01),
    )


def test_reading_ahead_keeps_order_and_hands_on_the_error():
    # Given a source that breaks after three items
    def source():
        yield from (1, 2, 3)
        raise VideoError("broken here")

    # When it is read ahead, Then the items come first and the error is raised in the consumer
    with read_ahead(source(), 2) as items:
        assert [next(items) for _ in range(3)] == [1, 2, 3]
        with pytest.raises(VideoError, match="broken here"):
            next(items)


def test_reading_ahead_is_bounded_and_ends_when_the_consumer_leaves():
    # Given an endless source that says how far it was read
    taken = []

    def source():
        number = 0
        while True:
            number += 1
            taken.append(number)
            yield number

    # When the consumer takes one item and leaves
    with read_ahead(source(), 3) as items:
        assert next(items) == 1
    # Then the source was read a bounded number of items ahead, and is no longer read
    assert len(taken) <= 1 + 3 + 3


@deepsea
@pytest.mark.data
def test_nothing_is_counted_as_damaged_in_a_whole_clip():
    # Given an undamaged clip with sound and B-frames
    with VideoReader(next(CLIPS.glob("*.mp4"))) as reader:
        # When it is read to its end, Then every packet gave its frame
        assert sum(1 for _ in reader) == 32
        assert reader.damaged == 0
