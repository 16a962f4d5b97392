"""The worker as a process, and an S3, an SQS and a DynamoDB on loopback for it: what ECS would start."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import requests
from shoal.contracts.job import job_key, tally_key
from shoal_local.server import Server, moto_application, moto_request_handler, reset_moto
from shoal_worker.service.checkpoints import checkpoint_prefix
from worker_fixtures import write_bright_box_model

ROOT = Path(__file__).parents[1]
REGION = "us-west-2"
_PAUSE = 0.05
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

    def segments(self, video: str) -> set[str]:
        """The stored parts of a video's checkpoint, without its manifest."""
        prefix = checkpoint_prefix(video)
        return {key for key in self.keys("results") if key.startswith(prefix) and key.endswith(".npz")}

    def record(self, job_id: str) -> dict[str, str]:
        return self.item(job_key("reef", job_id))

    def counted(self) -> int:
        """The videos that the deployment's sums say have succeeded."""
        return int(self.item(tally_key("reef"))["succeeded"])

    def item(self, key: dict[str, str]) -> dict[str, str]:
        wanted = {name: {"S": text} for name, text in key.items()}
        item = self.clients["dynamodb"].get_item(TableName="deployments", Key=wanted).get("Item", {})
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
    """So many seconds of its own pauses: what stops this process does not count."""
    left = seconds
    while not condition():
        assert left > 0, f"{what} did not happen in {seconds} s"
        time.sleep(_PAUSE)
        left -= _PAUSE


@contextmanager
def cloud_on_loopback(folder: Path, before: Callable[[Any], Any] = lambda moto: moto) -> Iterator[Cloud]:
    """Furnished with a model, a tracker's file and empty buckets; ``before`` puts something before moto."""
    reset_moto()
    server = Server(before(moto_application()), 0, moto_request_handler())
    server.start()
    endpoint = server.url
    keys = {name.lower(): value for name, value in KEYS.items()}
    names = ("s3", "sqs", "dynamodb")
    made = Cloud(
        endpoint, {n: boto3.client(n, region_name=REGION, endpoint_url=endpoint, **keys) for n in names}
    )
    _furnish(made, folder)
    try:
        yield made
    finally:
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


def start_worker(cloud: Cloud, queue: str, log: Path, work: Path, **more: str) -> Process:
    """Start it with ``log`` as its standard output and ``work`` as its scratch space."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
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
        "SHOAL_WORK_DIR": str(work),
        "VIDEO_QUEUE": queue,
        "VIDEO_BUCKET": "videos",
        "TRACK_BUCKET": "results",
        "JOBS_TABLE": "deployments",
    }
    command = [sys.executable, "-m", "shoal_worker"]
    with log.open("wb") as out:
        started = subprocess.Popen(command, env=environment | more, stdout=out, stderr=subprocess.STDOUT)
    return Process(started, log, port)
