"""A decoder that was taken over can do nothing, and a good one gives the same frames as in this process."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from shoal_worker import Provenance, parse_track_config, track_video
from shoal_worker.containment.decoding import ContainedDecoding
from shoal_worker.containment.landlock import landlock_version
from shoal_worker.containment.limits import Limits
from shoal_worker.containment.process import ContainedProcess, DecoderStopped
from shoal_worker.containment.reader import ContainedReader
from shoal_worker.containment.seccomp import seccomp_available
from shoal_worker.errors import TrackingStopped, VideoError
from shoal_worker.prepare import Decoding
from shoal_worker.preprocess import Letterbox
from shoal_worker.video import VideoReader
from tiny_models import write_model
from tiny_videos import picture, write_video

PROBE = Path(__file__).parents[2] / "containment_probe.py"
DEEP_SEA = Path(__file__).parents[4] / "shared" / "data" / "deepsea"
BRIEF = replace(Limits(), between_frames=20.0)
contained = pytest.mark.skipif(
    landlock_version() == 0 or not seccomp_available(), reason="this kernel has no Landlock or no seccomp"
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A video, a secret beside it, and credentials in the parent's environment."""
    (tmp_path / "video").write_bytes(b"video")
    (tmp_path / "secret").write_text("canary")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary")
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/canary")
    return tmp_path


def entry(what: str, folder: Path, detail: str = "") -> tuple[str, ...]:
    return (str(PROBE), what, str(folder), detail)


def tried(what: str, folder: Path, detail: str = "") -> dict[str, Any]:
    """What a taken-over decoder says of its attempts."""
    process = ContainedProcess("video", 20, entry(what, folder, detail))
    try:
        process.tell({"path": str(folder / "video"), "limits": asdict(BRIEF)})
        assert process.hear()["complete"] is True
        return process.hear()
    finally:
        process.close()


@contained
@pytest.mark.parametrize(
    "what", ["read_secret", "write_outside", "three_gib", "fill_disk", "passwd", "other_processes"]
)
def test_a_decoder_that_was_taken_over_can_do_nothing(what: str, folder: Path) -> None:
    before = sorted(path.name for path in folder.iterdir())
    assert tried(what, folder) == {"kind": "tried", "worked": []}
    assert sorted(path.name for path in folder.iterdir()) == before
    assert (folder / "video").read_bytes() == b"video"


@contained
def test_it_reaches_no_network(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        assert tried("open_socket", folder, str(server.getsockname()[1]))["worked"] == []
        with pytest.raises(BlockingIOError):
            server.accept()


@contained
@pytest.mark.parametrize(
    ("limits", "word"),
    [
        (replace(BRIEF, between_frames=1.0), "gave no frame of video for 1 s"),
        (replace(BRIEF, cpu_seconds=1), "processor time|SIGKILL"),
    ],
)
def test_one_that_spins_is_ended(limits: Limits, word: str, folder: Path) -> None:
    with pytest.raises(DecoderStopped, match=word):
        ContainedReader(folder / "video", limits=limits, entry=entry("spin", folder))


@contained
def test_a_crash_is_an_error_of_the_video(folder: Path) -> None:
    with pytest.raises(DecoderStopped, match=r"died of SIG.* on video: the file is damaged or hostile"):
        ContainedReader(folder / "video", limits=BRIEF, entry=entry("crash", folder))


@contained
@pytest.mark.parametrize(
    "lie",
    ["slot", "negative", "number", "pts", "size", "rate", "time", "kind", "end", "depth", "long", "text"],
)
def test_a_lie_is_not_believed(lie: str, folder: Path) -> None:
    with (
        pytest.raises(
            DecoderStopped, match=r"ended( with status 0 on video)?: the file is damaged or hostile"
        ),
        ContainedReader(folder / "video", limits=BRIEF, entry=entry("lie", folder, lie)) as reader,
    ):
        list(reader)


def _square(number: int) -> Any:
    return picture([(20 + number, 48, number % 3)])


@pytest.mark.parametrize("codec", ["mpeg4", "libx264", "libx265", "libvpx-vp9"])
def test_the_frames_are_the_same(codec: str, tmp_path: Path) -> None:
    # Given
    suffix = ".webm" if codec.startswith("libvpx") else ".mp4"
    video = write_video(tmp_path / f"clip{suffix}", 25, _square, codec=codec, first_pts=15)
    # When
    with VideoReader(video) as plain, ContainedReader(video) as confined:
        expected, found = list(plain), list(confined)
    # Then
    assert confined.info == plain.info
    assert [(one.number, one.pts) for one in found] == [(one.number, one.pts) for one in expected]
    assert all((one.image == other.image).all() for one, other in zip(found, expected, strict=True))
    assert confined.damaged == plain.damaged == 0


@pytest.mark.parametrize("camera", [False, True])
def test_whole_frames_for_the_appearance_are_the_same(camera: bool, tmp_path: Path) -> None:
    # Given a video whose frames are wanted whole beside the network's picture
    video = write_video(tmp_path / "clip.mp4", 9, _square)
    given: dict[str, Any] = {"letterbox": lambda frame: Letterbox(frame, (64, 64)), "camera": camera}
    # When it is decoded here and in a contained process, Then both show the same
    plain, confined = (list(kind(video, whole=True, **given)) for kind in (Decoding, ContainedDecoding))
    for one, other in zip(plain, confined, strict=True):
        assert one.whole is not None
        assert one.whole.shape == (96, 160, 3)
        assert (one.whole == other.whole).all()
        assert (one.picture == other.picture).all()
        assert not camera or (one.thumbnail[0] == other.thumbnail[0]).all()


@pytest.mark.data
@pytest.mark.skipif(not DEEP_SEA.exists(), reason="the deep-sea clips are not beside the project")
def test_the_deep_sea_clips_are_the_same() -> None:
    for video in sorted(DEEP_SEA.glob("*.mp4")):
        with VideoReader(video) as plain, ContainedReader(video) as confined:
            for one, other in zip(plain, confined, strict=True):
                assert (one.number, one.pts) == (other.number, other.pts)
                assert (one.image == other.image).all()


def test_what_is_wrong_with_a_video_is_told_as_without_containment(tmp_path: Path) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(write_video(tmp_path / "whole.mp4", 9, _square).read_bytes()[:300])
    with pytest.raises(VideoError) as plain:
        VideoReader(broken)
    with pytest.raises(VideoError) as confined:
        ContainedReader(broken)
    assert confined.value.detail == plain.value.detail
    with pytest.raises(VideoError, match="there is no file"):
        ContainedReader(tmp_path / "absent.mp4")


def test_leaving_early_ends_the_child(tmp_path: Path) -> None:
    video = write_video(tmp_path / "clip.mp4", 60, _square)
    with ContainedReader(video) as reader:
        child = reader.session.pid
        assert next(iter(reader)).number == 1
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)


_PARENT = """
import sys, time
from pathlib import Path
from shoal_worker.containment.reader import ContainedReader
reader = ContainedReader(Path(sys.argv[1]))
print(reader.session.pid, flush=True)
time.sleep(60)
"""


def test_the_child_dies_with_its_parent(tmp_path: Path) -> None:
    # Given a worker with a decoder
    video = write_video(tmp_path / "clip.mp4", 60, _square)
    environment = {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", _PARENT, str(video)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as parent:
        child = int((parent.stdout or sys.stdin).readline())
        # When
        parent.send_signal(signal.SIGKILL)
    # Then
    deadline = time.monotonic() + 20
    while _alive(child):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("args", ["", "--save-vid", "--classes 1 --online"], ids=["plain", "film", "online"])
def test_a_contained_run_gives_the_same_archive(args: str, tmp_path: Path) -> None:
    # Given a camera that is measured, so that thumbnails cross the boundary too
    video = write_video(tmp_path / "dive.mp4", 40, _square, codec="libx264")
    model = write_model(tmp_path / "squares.onnx", "yolov8", size=None)
    config = parse_track_config("STRONGSORT:\n  ECC: true\n")
    same = Provenance(processed_at="2026-11-26T00:00:00Z")
    # When
    results = [
        track_video(video, model, tmp_path / name / "dive.tracks.tar.gz", config=config, options=args,
                    provenance=same, contained=name == "contained", picture=tmp_path / f"{name}.png")
        for name in ("plain", "contained")
    ]  # fmt: skip
    # Then
    plain, contained_ = results
    assert contained_.archive.read_bytes() == plain.archive.read_bytes()
    assert (contained_.frames, contained_.tracks) == (plain.frames, plain.tracks)
    assert (tmp_path / "contained.png").read_bytes() == (tmp_path / "plain.png").read_bytes()


def test_several_contained_decoders_give_the_same_pictures(tmp_path: Path) -> None:
    video = write_video(tmp_path / "dive.mp4", 150, _square, codec="libx264")
    fit = lambda frame: Letterbox(frame, (64, 64))  # noqa: E731
    plain = Decoding(video, fit, camera=True)
    split = ContainedDecoding(video, fit, decoders=2, camera=True)
    for one, other in zip(plain, split, strict=True):
        assert (one.picture == other.picture).all()
        assert one.thumbnail is not None
        assert other.thumbnail is not None
        assert (one.thumbnail[0] == other.thumbnail[0]).all()
        assert one.thumbnail[1] == other.thumbnail[1]
    assert (split.frames, split.damaged, split.info) == (150, 0, plain.info)


def test_a_stopped_run_leaves_no_decoder_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    video = write_video(tmp_path / "dive.mp4", 200, _square)
    children: list[int] = []
    made = ContainedProcess.__init__

    def noted(self: ContainedProcess, *given: Any) -> None:
        made(self, *given)
        children.append(self.pid)

    monkeypatch.setattr(ContainedProcess, "__init__", noted)
    with pytest.raises(TrackingStopped):
        track_video(video, write_model(tmp_path / "m.onnx", "yolov8"), tmp_path / "out",
                    contained=True, stop=lambda: bool(children))  # fmt: skip
    assert len(children) == 1
    assert not _alive(children[0])
