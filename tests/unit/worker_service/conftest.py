"""A small AWS for the worker: moto in this process, one queue, two buckets, one table."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws
from shoal.contracts.job import job_key
from shoal_worker.service.consumer import Consumer
from shoal_worker.service.progress import Activity, Attempt
from shoal_worker.service.protection import TaskProtection
from shoal_worker.service.records import JobRecords
from shoal_worker.service.storage import Storage
from shoal_worker.service.video_queue import VideoQueue
from shoal_worker.service.video_work import Tracked, VideoWork

REGION = "us-west-2"
DEPLOYMENT = "reef"


@dataclass
class Tracker:
    """Stands for the engine: writes an archive, or does what a test tells it to."""

    frames: int = 4
    seen: list[tuple[str, bytes]] = field(default_factory=list)
    instead: Callable[[Attempt], None] | None = None

    def __call__(self, job: Any, video: Path, folder: Path, attempt: Attempt) -> Tracked:
        self.seen.append((video.name, video.read_bytes()))
        if self.instead:
            self.instead(attempt)
        tick = attempt.phase("track")
        for number in range(self.frames):
            tick(number + 1, self.frames)
        archive = folder / "result.tracks.tar.gz"
        archive.write_bytes(b"archive of " + video.name.encode())
        return Tracked(archive, self.frames, 2)


@dataclass
class Room:
    """Everything a consumer test needs, with hands to look at AWS."""

    consumer: Consumer
    tracker: Tracker
    clients: dict[str, Any]
    url: str
    left: list[str]

    def send(self, body: dict[str, Any] | str) -> str:
        text = body if isinstance(body, str) else json.dumps(body)
        return str(self.clients["sqs"].send_message(QueueUrl=self.url, MessageBody=text)["MessageId"])

    def put_video(self, key: str, content: bytes = b"video") -> None:
        self.clients["s3"].put_object(Bucket="videos-bucket", Key=key, Body=content)

    def exists(self, bucket: str, key: str) -> bool:
        listed = self.clients["s3"].list_objects_v2(Bucket=bucket, Prefix=key)
        return any(item["Key"] == key for item in listed.get("Contents", []))

    def record(self, job_id: str) -> dict[str, Any]:
        key = {name: {"S": text} for name, text in job_key(DEPLOYMENT, job_id).items()}
        item = self.clients["dynamodb"].get_item(TableName="jobs", Key=key).get("Item", {})
        return {name: next(iter(value.values())) for name, value in item.items()}

    def messages(self) -> tuple[int, int]:
        """Visible and in flight."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self.clients["sqs"].get_queue_attributes(QueueUrl=self.url, AttributeNames=names)[
            "Attributes"
        ]
        return int(found[names[0]]), int(found[names[1]])


def make_table(dynamodb: Any, name: str = "jobs") -> None:
    dynamodb.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        AttributeDefinitions=[{"AttributeName": part, "AttributeType": "S"} for part in ("pk", "sk")],
        BillingMode="PAY_PER_REQUEST",
    )


@pytest.fixture(scope="session")
def boto_clients() -> dict[str, Any]:
    """Made once: reading the service descriptions takes half a second."""
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    return {name: boto3.client(name, region_name=REGION, **keys) for name in ("s3", "sqs", "dynamodb")}


@pytest.fixture
def clients(boto_clients: dict[str, Any]) -> Iterator[dict[str, Any]]:
    with mock_aws():
        made = boto_clients
        for bucket in ("videos-bucket", "tracks-bucket"):
            made["s3"].create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
        make_table(made["dynamodb"])
        yield made


@pytest.fixture
def room(clients: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Room:
    monkeypatch.setattr("shoal_worker.service.video_queue.POLL_SECONDS", 0)
    url = clients["sqs"].create_queue(QueueName="videos")["QueueUrl"]
    tracker, left = Tracker(), []
    consumer = Consumer(
        deployment=DEPLOYMENT,
        queue=VideoQueue(clients["sqs"], url),
        records=JobRecords(clients["dynamodb"], "jobs", DEPLOYMENT),
        work=VideoWork(Storage(clients["s3"]), tracker, "videos-bucket", "tracks-bucket", tmp_path / "work"),
        protection=TaskProtection("", 2.0),
        activity=Activity(),
        stop=threading.Event(),
        timeout_seconds=3600.0,
        leave=lambda: left.append("left"),
        idle_seconds=0.0,
    )
    return Room(consumer, tracker, clients, url, left)
