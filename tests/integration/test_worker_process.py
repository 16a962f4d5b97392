"""The entry point as a process, against an S3, an SQS and a DynamoDB on loopback: what ECS would start."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
import requests
from moto.server import ThreadedMotoServer
from shoal.contracts.job import job_key
from shoal_worker import read_archive
from worker_fixtures import write_bright_box_model, write_video

ROOT = Path(__file__).parents[2]
REGION = "us-west-2"
KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}


@dataclass
class Cloud:
    """Two buckets, a table, and a queue for each test."""

    endpoint: str
    clients: dict[str, Any]

    def queue(self, name: str) -> str:
        return str(self.clients["sqs"].create_queue(QueueName=name)["QueueUrl"])

    def put(self, key: str, content: bytes, bucket: str = "videos") -> None:
        self.clients["s3"].put_object(Bucket=bucket, Key=key, Body=content)

    def keys(self, bucket: str) -> set[str]:
        return {item["Key"] for item in self.clients["s3"].list_objects_v2(Bucket=bucket).get("Contents", [])}

    def segments(self) -> list[str]:
        """Checkpoints that are stored, without their manifests."""
        return [
            key for key in self.keys("results") if key.startswith("checkpoints/") and key.endswith(".npz")
        ]

    def record(self, job_id: str) -> dict[str, str]:
        key = {name: {"S": text} for name, text in job_key("reef", job_id).items()}
        item = self.clients["dynamodb"].get_item(TableName="deployments", Key=key).get("Item", {})
        return {name: next(iter(value.values())) for name, value in item.items()}

    def send(self, url: str, body: dict[str, str] | str) -> None:
        text = body if isinstance(body, str) else json.dumps(body)
        self.clients["sqs"].send_message(QueueUrl=url, MessageBody=text)

    def in_queue(self, url: str) -> tuple[int, int]:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self.clients["sqs"].get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        return int(found[names[0]]), int(found[names[1]])


@dataclass
class Process:
    """A running worker."""

    process: subprocess.Popen[bytes]
    log: Path
    port: int

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text(encoding="ascii").splitlines()]

    def get(self, path: str) -> requests.Response:
        return requests.get(f"http://127.0.0.1:{self.port}{path}", timeout=5)

    def is_ready(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        try:
            return self.get("/health").status_code == 200
        except requests.ConnectionError:
            return False

    def end(self, number: int = signal.SIGTERM) -> tuple[int, float]:
        """The exit status and the seconds from the signal to the exit."""
        began = time.monotonic()
        self.process.send_signal(number)
        return self.process.wait(20), time.monotonic() - began


def wait_for(condition: Callable[[], object], what: str, seconds: float = 40.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not happen in {seconds} s"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    keys = {name.lower(): value for name, value in KEYS.items()}
    names = ("s3", "sqs", "dynamodb")
    made = Cloud(
        endpoint, {n: boto3.client(n, region_name=REGION, endpoint_url=endpoint, **keys) for n in names}
    )
    _furnish(made, tmp_path_factory.mktemp("model"))
    yield made
    server.stop()


def _furnish(cloud: Cloud, folder: Path) -> None:
    for bucket in ("videos", "results", "models"):
        where = {"LocationConstraint": REGION}
        cloud.clients["s3"].create_bucket(Bucket=bucket, CreateBucketConfiguration=where)
    cloud.put("bright.onnx", write_bright_box_model(folder / "bright.onnx").read_bytes(), "models")
    cloud.put("strong_sort.yaml", b"STRONGSORT:\n  MAX_AGE: 30\n  N_INIT: 3\n", "models")
    cloud.clients["dynamodb"].create_table(
        TableName="deployments",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        AttributeDefinitions=[{"AttributeName": part, "AttributeType": "S"} for part in ("pk", "sk")],
        BillingMode="PAY_PER_REQUEST",
    )


@pytest.fixture
def start(cloud: Cloud, tmp_path: Path) -> Iterator[Callable[..., Process]]:
    running: list[Process] = []

    def begin(queue: str, **more: str) -> Process:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        log = tmp_path / f"log-{len(running)}"
        environment = {
            **KEYS,
            "PATH": os.environ["PATH"],
            "PYTHONPATH": f"{ROOT / 'worker'}{os.pathsep}{ROOT / 'layers' / 'shoal'}",
            "PYTHONDONTWRITEBYTECODE": "1",
            "OMP_NUM_THREADS": "1",
            "AWS_ENDPOINT_URL": cloud.endpoint,
            "AWS_REGION": REGION,
            "SHOAL_DEPLOYMENT": "reef",
            "SHOAL_REVISION": "1",
            "SHOAL_SERVES": "queue,endpoint",
            "SHOAL_MODEL": "s3://models/bright.onnx",
            "SHOAL_TRACK_CONFIG": "s3://models/strong_sort.yaml",
            "SHOAL_PORT": str(port),
            "SHOAL_WORK_DIR": str(tmp_path / "work"),
            "VIDEO_QUEUE": queue,
            "VIDEO_BUCKET": "videos",
            "TRACK_BUCKET": "results",
            "JOBS_TABLE": "deployments",
        }
        command = [sys.executable, "-m", "shoal_worker"]
        with log.open("wb") as out:
            started = subprocess.Popen(command, env=environment | more, stdout=out, stderr=subprocess.STDOUT)
        running.append(Process(started, log, port))
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


def test_another_worker_goes_on_where_one_was_stopped(
    cloud: Cloud, start: Callable[..., Process], tmp_path: Path
) -> None:
    # Given a worker that is stopped behind its second checkpoint
    queue, frames = cloud.queue("resume"), 4_000
    cloud.put("videos/reef/dive.mp4", write_video(tmp_path / "dive.mp4", frames).read_bytes())
    cloud.send(queue, {"video": "videos/reef/dive.mp4", "job_id": "dive"})
    first = start(queue)
    wait_for(lambda: len(cloud.segments()) >= 2, "two checkpoints")
    assert first.end()[0] == 0
    left = len(cloud.segments())
    # When
    second = start(queue)
    wait_for(lambda: cloud.record("dive").get("status") == "SUCCEEDED", "the success")
    # Then
    lines = [line["message"] for line in second.lines()]
    assert f"went on behind frame {512 * left}" in lines
    assert cloud.record("dive")["frames"] == str(frames)
    assert cloud.segments() == []
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
