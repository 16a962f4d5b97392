"""Which videos a person means, and where they go in S3."""

from __future__ import annotations

from pathlib import Path

import pytest
from shoal_cli.errors import CliError
from shoal_cli.jobs import find_videos, video_keys


@pytest.fixture
def dive(tmp_path: Path) -> Path:
    for name in ("a/one.mp4", "a/._one.mp4", "b/two.MOV", "b/notes.txt", "b/skip/three.mkv"):
        path = tmp_path / "dive" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return tmp_path / "dive"


@pytest.mark.parametrize(
    ("exclude", "expected"),
    [
        ([], ["a/one.mp4", "b/skip/three.mkv", "b/two.MOV"]),  # shadows and other files are left out
        (["skip"], ["a/one.mp4", "b/two.MOV"]),  # a text anywhere in the path
        (["*.MOV"], ["a/one.mp4", "b/skip/three.mkv"]),  # a pattern
    ],
)
def test_a_folder_is_searched(dive: Path, exclude: list[str], expected: list[str]) -> None:
    # When
    found = find_videos([dive], exclude)
    # Then
    assert [path.relative_to(dive).as_posix() for path in found] == expected


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda folder: folder / "missing.mp4", "does not exist"),
        (lambda folder: folder / "b/notes.txt", "is no video"),
        (lambda folder: (folder / "b/empty.mp4", (folder / "b/empty.mp4").touch())[0], "is empty"),
        (lambda folder: (folder / "none", (folder / "none").mkdir())[0], "no video was found"),
    ],
)
def test_what_is_no_video_is_refused(dive: Path, make, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(CliError, match=message):
        find_videos([make(dive)])


@pytest.mark.parametrize(
    ("names", "keys"),
    [
        (["a/one.mp4"], ["videos/reef/one.mp4"]),  # one video: its name alone
        (["a/one.mp4", "b/two.MOV"], ["videos/reef/a/one.mp4", "videos/reef/b/two.MOV"]),
        (["b/two.MOV", "b/skip/three.mkv"], ["videos/reef/two.MOV", "videos/reef/skip/three.mkv"]),
    ],
)
def test_keys_keep_the_folders_below_the_common_one(dive: Path, names: list[str], keys: list[str]) -> None:
    # When
    found = video_keys("reef", [dive / name for name in names])
    # Then
    assert list(found.values()) == keys


def test_a_video_named_twice_is_refused(dive: Path) -> None:
    with pytest.raises(CliError, match="twice"):
        video_keys("reef", [dive / "a/one.mp4", dive / "a/../a/one.mp4"])
