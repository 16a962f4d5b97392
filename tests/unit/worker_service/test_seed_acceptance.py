"""What deepsea-ai's own tests promise its users, with the real engine behind the queue.

Mirrors its test_process_multiple_videos, test_save_video, test_classes_49 and test_remove_video_failure.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from shoal_worker.service.inference import load_shared_model
from shoal_worker.service.settings import read_settings
from worker_fixtures import write_bright_box_model, write_video

FRAMES = 6


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return write_video(tmp_path_factory.mktemp("clip") / "clip.mp4", FRAMES).read_bytes()


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Any:
    path = write_bright_box_model(tmp_path_factory.mktemp("model") / "bright.onnx")
    given = {
        "SHOAL_DEPLOYMENT": "reef", "SHOAL_MODEL": str(path), "SHOAL_ARGS": "--conf-thres=0.3",
        "SHOAL_SERVES": "queue", "SHOAL_CONTAINMENT": "off", "VIDEO_QUEUE": "videos", "JOBS_TABLE": "jobs",
        "VIDEO_BUCKET": "videos-bucket", "TRACK_BUCKET": "tracks-bucket",
    }  # fmt: skip
    return load_shared_model(path, None, read_settings(given))


@pytest.fixture
def deep(room: Any, model: Any) -> Iterator[Any]:
    """The room with the engine instead of its stand-in."""
    room.consumer.work = replace(room.consumer.work, track=model.track_job)
    return room


def submit(deep: Any, name: str, content: bytes, **more: str) -> None:
    deep.put_video(f"videos/reef/{name}.mp4", content)
    deep.send({"video": f"videos/reef/{name}.mp4", "job_id": name, "deployment": "reef", **more})


def results(deep: Any) -> list[str]:
    listed = deep.clients["s3"].list_objects_v2(Bucket="tracks-bucket").get("Contents", [])
    return sorted(item["Key"] for item in listed)


def members(deep: Any, name: str) -> dict[str, int]:
    """The sizes of the members of a result, by name."""
    key = f"tracks/reef/{name}.tracks.tar.gz"
    body = deep.clients["s3"].get_object(Bucket="tracks-bucket", Key=key)["Body"].read()
    with tarfile.open(fileobj=io.BytesIO(body)) as archive:
        return {member.name: member.size for member in archive}


def test_so_many_clips_give_exactly_so_many_archives(deep: Any, clip: bytes) -> None:
    # Given three clips, one of them delivered twice
    names = ["a", "b", "c"]
    for name in names:
        submit(deep, name, clip)
    submit(deep, "b", clip)
    # When
    for _ in range(5):
        deep.consumer.step()
    # Then
    assert results(deep) == [f"tracks/reef/{name}.tracks.tar.gz" for name in names]
    assert [deep.record(name)["status"] for name in names] == ["SUCCEEDED"] * 3
    assert [deep.record(name)["tracks"] for name in names] == ["1"] * 3
    assert deep.messages() == (0, 0)


def test_a_class_filter_that_matches_nothing_still_gives_an_archive(deep: Any, clip: bytes) -> None:
    submit(deep, "a", clip, args="--classes 49")
    deep.consumer.step()
    assert (deep.record("a")["status"], deep.record("a")["tracks"]) == ("SUCCEEDED", "0")
    inside = members(deep, "a")
    assert [name for name in inside if Path(name).name.startswith("f0")] == []
    assert inside["tracks/a.txt"] == 0
    assert inside["processingjobconfig.json"] > 0


@pytest.mark.parametrize(("args", "films"), [("--save-vid", ["a.mp4"]), ("", [])])
def test_save_vid_puts_one_film_into_the_archive(args: str, films: list[str], deep: Any, clip: bytes) -> None:
    submit(deep, "a", clip, args=args)
    deep.consumer.step()
    assert deep.record("a")["tracks"] == "1"
    assert results(deep) == ["tracks/reef/a.tracks.tar.gz"]
    found = {name: size for name, size in members(deep, "a").items() if name.endswith(".mp4")}
    assert list(found) == films
    assert all(found.values())


def test_a_video_that_is_removed_after_its_submission_fails_and_is_not_stuck(deep: Any, clip: bytes) -> None:
    # Given
    submit(deep, "a", clip)
    deep.clients["s3"].delete_object(Bucket="videos-bucket", Key="videos/reef/a.mp4")
    # When
    deep.consumer.step()
    # Then
    assert deep.record("a")["status"] == "FAILED"
    assert "videos/reef/a.mp4 does not exist: upload it" in deep.record("a")["reason"]
    assert (deep.messages(), results(deep)) == ((0, 0), [])
