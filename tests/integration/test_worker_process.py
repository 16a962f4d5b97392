"""The entry point as a process, against an S3, an SQS and a DynamoDB on loopback: what ECS would start."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from shoal_worker import read_archive
from worker_fixtures import write_video
from worker_process import Cloud, Process, cloud_on_loopback, start_worker, wait_for

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with cloud_on_loopback(tmp_path_factory.mktemp("model")) as made:
        yield made


@pytest.fixture
def start(cloud: Cloud, tmp_path: Path) -> Iterator[Callable[..., Process]]:
    running: list[Process] = []

    def begin(queue: str, **more: str) -> Process:
        log = tmp_path / f"log-{len(running)}"
        running.append(start_worker(cloud, queue, log, tmp_path / "work", **more))
        return running[-1]

    yield begin
    for worker in running:
        if worker.process.poll() is None:
            worker.process.kill()
            worker.process.wait(10)


def test_a_video_becomes_an_archive(cloud: Cloud, start: Callable[..., Process], tmp_path: Path) -> None:
    # Given a video to clean, one that does not exist, one that is none, and noise
    queue = cloud.queue("life")
    cloud.put("videos/reef/dive 1/clip.mp4", write_video(tmp_path / "clip.mp4", 8).read_bytes())
    cloud.put("videos/reef/broken.mp4", b"this is no video")
    cloud.send(queue, '{"Service": "Amazon S3", "Event": "s3:TestEvent"}')
    cloud.send(queue, "poison")
    cloud.send(queue, {"video": "videos/reef/absent.mp4", "job_id": "absent", "clean": "False"})
    cloud.send(queue, {"video": "videos/reef/broken.mp4", "job_id": "broken", "clean": "True"})
    cloud.send(
        queue, {"video": "videos/reef/dive 1/clip.mp4", "job_id": "good", "clean": "True", "user_name": "ann"}
    )
    # When
    worker = start(queue)
    wait_for(worker.is_ready, "the worker's health")
    wait_for(lambda: cloud.record("good").get("status") == "SUCCEEDED", "the success")
    wait_for(lambda: cloud.in_queue(queue) == (0, 1), "the end of every message but the poison")
    status = worker.get("/status").json()
    code, _ = worker.end()
    # Then
    record = cloud.record("good")
    assert (record["result"], record["frames"], record["tracks"], record["attempts"]) == (
        "tracks/reef/dive 1/clip.tracks.tar.gz", "8", "1", "1",
    )  # fmt: skip
    assert [cloud.record(job)["status"] for job in ("absent", "broken")] == ["FAILED", "FAILED"]
    assert "does not exist" in cloud.record("absent")["reason"]
    assert "not a video" in cloud.record("broken")["reason"]
    assert cloud.keys("videos") == {"videos/reef/broken.mp4"}
    assert cloud.keys("results") == {"tracks/reef/dive 1/clip.tracks.tar.gz"}
    assert status["counts"] == {"succeeded": 1, "failed": 3, "retried": 0, "released": 0, "predictions": 0}
    assert code == 0
    _check_archive(cloud, tmp_path)
    _check_log(worker)


def _check_archive(cloud: Cloud, folder: Path) -> None:
    target = folder / "clip.tracks.tar.gz"
    cloud.clients["s3"].download_file("results", "tracks/reef/dive 1/clip.tracks.tar.gz", str(target))
    archive = read_archive(target)
    assert [row["label"] for row in archive.tracks] == ["urchin"]
    assert [row["frame"] for row in archive.detections] == list(range(1, 9))
    assert (archive.job_config["UserName"], archive.job_config["VideoName"]) == ("ann", "clip.mp4")


def _check_log(worker: Process) -> None:
    lines = worker.lines()
    messages = " ".join(line["message"] for line in lines)
    assert {(line["deployment"], line["revision"]) for line in lines} == {("reef", "1")}
    for word in ("ready", "s3:TestEvent", "bad message", "succeeded: 8 frames, 1 tracks", "stopped after"):
        assert word in messages
    assert "exception" not in {key for line in lines for key in line}


def test_sigterm_gives_the_video_back_at_once(
    cloud: Cloud, start: Callable[..., Process], tmp_path: Path
) -> None:
    # Given a worker in the middle of a long video
    queue = cloud.queue("stop")
    cloud.put("videos/reef/long.mp4", write_video(tmp_path / "long.mp4", 6_000).read_bytes())
    cloud.send(queue, {"video": "videos/reef/long.mp4", "job_id": "long", "clean": "True"})
    worker = start(queue)
    wait_for(worker.is_ready, "the worker's health")
    wait_for(lambda: (worker.get("/status").json()["current"] or {}).get("done", 0) > 20, "tracking")
    # When
    code, seconds = worker.end()
    # Then
    assert (code, seconds < 5.0) == (0, True)
    assert cloud.in_queue(queue) == (1, 0)
    assert (cloud.record("long")["status"], cloud.record("long")["attempts"]) == ("QUEUED", "1")
    assert "tracks/reef/long.tracks.tar.gz" not in cloud.keys("results")
    assert "videos/reef/long.mp4" in cloud.keys("videos")


@pytest.mark.long
def test_another_worker_goes_on_where_one_was_stopped(
    cloud: Cloud, start: Callable[..., Process], tmp_path: Path
) -> None:
    # Given a worker that is stopped behind its second checkpoint
    queue, frames = cloud.queue("resume"), 4_000
    cloud.put("videos/reef/dive.mp4", write_video(tmp_path / "dive.mp4", frames).read_bytes())
    cloud.send(queue, {"video": "videos/reef/dive.mp4", "job_id": "dive"})
    first = start(queue)
    wait_for(lambda: len(cloud.segments("videos/reef/dive.mp4")) >= 2, "two checkpoints")
    assert first.end()[0] == 0
    left = len(cloud.segments("videos/reef/dive.mp4"))
    # When
    second = start(queue)
    wait_for(lambda: cloud.record("dive").get("status") == "SUCCEEDED", "the success")
    # Then
    lines = [line["message"] for line in second.lines()]
    behind = {f"went on behind frame {512 * whole}" for whole in range(1, left + 1)}  # the last may be torn
    assert behind & set(lines)
    assert cloud.record("dive")["frames"] == str(frames)
    assert cloud.segments("videos/reef/dive.mp4") == set()
    cloud.clients["s3"].download_file(
        "results", "tracks/reef/dive.tracks.tar.gz", str(tmp_path / "dive.tracks.tar.gz")
    )
    found = read_archive(tmp_path / "dive.tracks.tar.gz").detections
    assert [row["frame"] for row in found] == list(range(1, frames + 1))


def test_sigterm_ends_an_idle_worker(cloud: Cloud, start: Callable[..., Process]) -> None:
    workers = [start(cloud.queue(f"idle-{serves}"), SHOAL_SERVES=serves) for serves in ("queue", "endpoint")]
    for worker in workers:
        wait_for(lambda worker=worker: '"ready"' in worker.log.read_text(), "readiness")
        code, seconds = worker.end()
        assert (code, seconds < 5.0) == (0, True)


def test_the_deadline_fails_a_video(cloud: Cloud, start: Callable[..., Process], tmp_path: Path) -> None:
    queue = cloud.queue("deadline")
    cloud.put("videos/reef/slow.mp4", write_video(tmp_path / "slow.mp4", 6_000).read_bytes())
    cloud.send(queue, {"video": "videos/reef/slow.mp4", "job_id": "slow"})
    start(queue, TIMEOUT_HOURS=str(1 / 3600))
    wait_for(lambda: cloud.record("slow").get("status") == "FAILED", "the failure")
    assert "TIMEOUT_HOURS" in cloud.record("slow")["reason"]
    wait_for(lambda: cloud.in_queue(queue) == (0, 0), "the end of the message")


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"SHOAL_PORT": "80"}, "1026 to 65535"),
        ({"SHOAL_MODEL": "s3://models/Megadetector.pt"}, "export.py --weights Megadetector.pt"),
    ],
)
def test_a_wrong_setting_ends_the_worker_with_the_reason(
    change: dict[str, str], word: str, start: Callable[..., Process]
) -> None:
    worker = start("http://127.0.0.1:9/queue", **change)
    assert worker.process.wait(30) == 78
    errors = [line["message"] for line in worker.lines() if line["level"] == "ERROR"]
    assert any(word in message for message in errors)
