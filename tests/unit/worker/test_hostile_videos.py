"""The campaign of mutated videos would notice an escape, and its table counts what happened."""

from __future__ import annotations

import random
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hostile_videos
import pytest
from hostile_videos import OUTCOMES, Batch, merged, run, table
from media_mutations import mutate


@pytest.fixture(autouse=True)
def few_videos(monkeypatch: pytest.MonkeyPatch) -> None:
    """No encoder: what the videos hold does not matter here."""

    def whole_videos(folder: Path) -> list[Path]:
        for name in ("a.mp4", "b.mkv"):
            (folder / name).write_bytes(bytes(range(256)) * 9)
        return sorted(folder.iterdir())

    monkeypatch.setattr(hostile_videos, "whole_videos", whole_videos)


def _leaves_a_file(video: Path) -> str:
    video.with_name("mine").write_text("x")
    return "decoded"


def _changes_the_secret(video: Path) -> str:
    video.with_name("secret").write_text("x")
    return "decoded"


def _connects(ports: list[int]) -> Callable[[Path], str]:
    def outcome(video: Path) -> str:
        with socket.create_connection(("127.0.0.1", ports[0]), 5):
            return "decoded"

    return outcome


def test_an_escape_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given decoders that get out, each in its way
    ports: list[int] = []
    made = socket.create_server

    def noted(*given: Any, **more: Any) -> socket.socket:
        server = made(*given, **more)
        ports.append(server.getsockname()[1])
        return server

    monkeypatch.setattr(hostile_videos.socket, "create_server", noted)
    words = {
        "mine": _leaves_a_file,
        "secret was changed": _changes_the_secret,
        "connection": _connects(ports),
    }
    for word, outcome in words.items():
        ports.clear()
        monkeypatch.setattr(hostile_videos, "outcome", outcome)
        # When, Then
        assert word in " ".join(run(Batch(1, 1, 1)).escapes)


def test_what_happened_is_counted_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given
    told = iter(["decoded", "died", "unreadable", "decoded"] * 3)
    monkeypatch.setattr(hostile_videos, "outcome", lambda _: next(told))
    # When
    report = merged([run(Batch(1, number, 6)) for number in range(2)])
    # Then
    assert dict(report.outcomes) == {"decoded": 6, "died": 3, "unreadable": 3}
    assert sum(counts.total() for counts in report.formats.values()) == 12
    assert report.escapes == []
    assert table(report)[-1].split() == [
        "|",
        "all",
        "|",
        "12",
        "|",
        "6",
        "|",
        "0",
        "|",
        "3",
        "|",
        "3",
        "|",
        "0",
        "|",
    ]
    assert [word in table(report)[0] for word in OUTCOMES] == [True] * len(OUTCOMES)


def test_a_seed_gives_the_same_sample() -> None:
    one, other = (mutate(bytes(range(256)), random.Random("7/0")) for _ in range(2))
    assert one == other
    assert one[1] == sorted(set(one[1]))
