"""Faults in a worker's life: every AWS call of three videos, hit by every kind, under a clock of our own."""

from __future__ import annotations

import errno
import functools
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from botocore.exceptions import ClientError, ReadTimeoutError
from shoal.contracts.job import JobMessage, job_key, tally_key
from shoal.jobs import recovery, store
from shoal_worker.service.consumer import Consumer
from shoal_worker.service.heartbeat import Heartbeat
from shoal_worker.service.progress import Activity, Attempt
from shoal_worker.service.protection import TaskProtection
from shoal_worker.service.records import JobRecords
from shoal_worker.service.storage import Storage
from shoal_worker.service.video_queue import VideoQueue
from shoal_worker.service.video_work import Tracked, VideoWork

RECEIVES = 5
GOOD, CLEANED, POISON = "videos/reef/good.mp4", "videos/reef/cleaned.mp4", "videos/reef/poison.mp4"
KINDS = (
    "throttled", "denied once", "server error", "answer lost", "killed before", "killed after",
    "told to stop", "visibility lost", "delivered twice", "disk full", "queue deleted",
)  # fmt: skip
_STEPS = 120


class Killed(BaseException):
    """The process ends here: nothing of ours runs any more."""


@dataclass
class Clock:
    """Seconds that pass only when a test says so; SQS's and the worker's clock alike."""

    now: float = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Fault:
    """``kind`` hits the call numbered ``at``; :attr:`hit` names the call once it was."""

    kind: str = ""
    at: int = -1
    calls: int = 0
    hit: str = ""


class Faulty:
    """A boto3 client whose calls are counted, and one of which fails."""

    def __init__(self, client: Any, world: World) -> None:
        self._client, self._world = client, world

    def __getattr__(self, name: str) -> Callable[..., Any]:
        operation = getattr(self._client, name)

        def call(**given: Any) -> Any:
            return self._world.strike(name, lambda: operation(**given))

        return call


@dataclass
class World:
    """An account with one queue and three videos, and a worker that is started anew whenever it ended."""

    clients: dict[str, Any]
    folder: Path
    clock: Clock
    fault: Fault
    url: str = ""
    dead: str = ""
    stop: threading.Event = field(default_factory=threading.Event)
    kills: int = 0
    poison_receives: int = 0
    poison_tries: int = 0
    wrong: list[str] = field(default_factory=list)

    def strike(self, name: str, operation: Callable[[], Any]) -> Any:
        """Do the call, or what the fault makes of it."""
        number, self.fault.calls = self.fault.calls, self.fault.calls + 1
        if name == "receive_message":
            operation = functools.partial(self._received, operation)
        if number != self.fault.at:
            return operation()
        self.fault.hit = name
        return _KINDS[self.fault.kind](self, operation)

    def _received(self, operation: Callable[[], Any]) -> Any:
        """Count how often the queue has handed the poison out."""
        answer = operation()
        bodies = [one["Body"] for one in answer.get("Messages", [])]
        self.poison_receives += sum(json.loads(body)["video"] == POISON for body in bodies)
        return answer

    def submit(self) -> None:
        """The three videos as the intake records and sends them."""
        requests = []
        for video in (GOOD, CLEANED, POISON):
            self.clients["s3"].put_object(Bucket="data", Key=video, Body=video.encode())
            name = Path(video).stem
            message = JobMessage(
                video=video, clean=video == CLEANED, job_id=name, deployment="reef", job_name="D"
            )
            requests.append(store.Request(message, work=name))
        store.record(requests)
        self.feed()

    def feed(self) -> None:
        from shoal.jobs.feed import top_up

        top_up("reef", self.url)

    def make_queue(self) -> None:
        sqs = self.clients["sqs"]
        self.dead = sqs.create_queue(QueueName="dead")["QueueUrl"]
        names = ["QueueArn"]
        arn = sqs.get_queue_attributes(QueueUrl=self.dead, AttributeNames=names)["Attributes"]["QueueArn"]
        policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": RECEIVES})
        attributes = {"RedrivePolicy": policy, "VisibilityTimeout": "300"}
        self.url = sqs.create_queue(QueueName="videos", Attributes=attributes)["QueueUrl"]

    def worker(self) -> Consumer:
        """A fresh process."""
        self.stop = threading.Event()
        clients = {name: Faulty(client, self) for name, client in self.clients.items()}
        consumer = Consumer(
            deployment="reef", queue=VideoQueue(clients["sqs"], self.url),
            records=JobRecords(clients["dynamodb"], "jobs", "reef", clock=self.clock),
            work=VideoWork(Storage(clients["s3"]), self._track, "data", "data", self.folder / "work"),
            protection=TaskProtection("", 2.0), activity=Activity(), stop=self.stop, timeout_seconds=3600.0,
            maximum_receives=RECEIVES, idle_seconds=0.0, leave=lambda: None,
        )  # fmt: skip
        make = consumer._heartbeat

        def remembered(*given: Any) -> Heartbeat:
            self.heartbeat = make(*given)
            return self.heartbeat

        consumer._heartbeat = remembered  # type: ignore[method-assign]
        return consumer

    def _track(self, job: Any, video: Path, folder: Path, attempt: Attempt) -> Tracked:
        """Half a video, a heartbeat, the other half; the poison takes the process along."""
        if job.message.video == POISON:
            self.poison_tries += 1
            raise Killed
        tick = attempt.phase("track")
        tick(1, 2)
        self.beat()
        tick(2, 2)
        archive = folder / "result.tracks.tar.gz"
        archive.write_bytes(b"tracks of " + video.read_bytes())
        return Tracked(archive, 2, 1, 60.0)

    def beat(self) -> None:
        """The heartbeat that its thread would send in these hundred seconds."""
        self.clock.now += 100
        if self.heartbeat is not None:
            self.heartbeat.beat()

    heartbeat: Heartbeat | None = None

    def live(self) -> None:
        """Until no message is left and the ledger finds nothing to send again."""
        worker = self.worker()
        for _ in range(_STEPS):
            worker = self._step(worker)
            if sum(self.messages()) == 0:
                if recovery.unfinished("reef") <= 0:
                    return
                self.clock.now += 301
                recovery.recover("reef")
                self.feed()
            elif self.messages()[0] == 0:
                self.clock.now += 301
        ends = {name: self.item(job_key("reef", name)) for name in ("good", "cleaned", "poison")}
        raise AssertionError(f"it does not end: {self.fault}; {self.messages()}; {ends}")

    def _step(self, worker: Consumer) -> Consumer:
        from shoal_worker.service.errors import Transient

        try:
            worker.step()
        except Killed:
            self.kills += 1
            return self.worker()
        except (Transient, OSError, ClientError):
            return worker  # the loop logs it and goes on
        return self.worker() if self.stop.is_set() else worker

    def messages(self) -> tuple[int, int]:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        answer = self.clients["sqs"].get_queue_attributes(QueueUrl=self.url, AttributeNames=names)
        return int(answer["Attributes"][names[0]]), int(answer["Attributes"][names[1]])

    def item(self, key: dict[str, str]) -> dict[str, str]:
        wanted = {name: {"S": text} for name, text in key.items()}
        item = self.clients["dynamodb"].get_item(TableName="jobs", Key=wanted).get("Item", {})
        return {name: next(iter(value.values())) for name, value in item.items()}

    def verdict(self) -> list[str]:
        """What is wrong with the end; nothing where all is well."""
        wrong = []
        for video in (GOOD, CLEANED):
            record = self.item(job_key("reef", Path(video).stem))
            if record.get("status") != "SUCCEEDED":
                wrong.append(f"{video} is {record.get('status')}: {record.get('reason')}")
            elif self.content(record["result"]) != b"tracks of " + video.encode():
                wrong.append(f"the result of {video} is another")
        poison = self.item(job_key("reef", "poison"))
        if poison.get("status") != "FAILED" or not poison.get("reason"):
            wrong.append(f"the poison is {poison.get('status')}: {poison.get('reason')}")
        if self.poison_tries > RECEIVES:
            wrong.append(f"the poison has taken {self.poison_tries} workers along")
        tally = self.item(tally_key("reef"))
        if (tally.get("succeeded"), tally.get("failed")) != ("2", "1"):
            wrong.append(f"counted: {tally}")
        if not self.content(GOOD) or self.content(CLEANED):
            wrong.append("clean took the wrong source")
        return wrong

    def content(self, key: str) -> bytes:
        listed = self.clients["s3"].list_objects_v2(Bucket="data", Prefix=key).get("Contents", [])
        if not any(one["Key"] == key for one in listed):
            return b""
        return bytes(self.clients["s3"].get_object(Bucket="data", Key=key)["Body"].read())


def _error(code: str) -> Callable[[World, Callable[[], Any]], Any]:
    def strike(world: World, operation: Callable[[], Any]) -> Any:
        raise ClientError({"Error": {"Code": code, "Message": "injected"}}, world.fault.hit)

    return strike


def _lost(world: World, operation: Callable[[], Any]) -> Any:
    operation()
    raise ReadTimeoutError(endpoint_url="https://injected")


def _killed_before(world: World, operation: Callable[[], Any]) -> Any:
    raise Killed


def _killed_after(world: World, operation: Callable[[], Any]) -> Any:
    operation()
    raise Killed


def _stopped(world: World, operation: Callable[[], Any]) -> Any:
    world.stop.set()
    return operation()


def _visibility_lost(world: World, operation: Callable[[], Any]) -> Any:
    """Minutes without a heartbeat, in which another worker takes the video and finishes it."""
    world.clock.now += 400
    fault, world.fault = world.fault, Fault()
    stop = world.stop
    try:
        world.worker().step()
    except Killed:
        world.kills += 1
    finally:
        world.fault, world.stop = fault, stop
    return operation()


def _twice(world: World, operation: Callable[[], Any]) -> Any:
    """Every message once more, as a second one."""
    for video in (GOOD, CLEANED):
        message = JobMessage(
            video=video, clean=video == CLEANED, job_id=Path(video).stem, deployment="reef", job_name="D"
        )
        world.clients["sqs"].send_message(QueueUrl=world.url, MessageBody=message.to_body())
    return operation()


def _disk_full(world: World, operation: Callable[[], Any]) -> Any:
    raise OSError(errno.ENOSPC, "No space left on device")


def _queue_deleted(world: World, operation: Callable[[], Any]) -> Any:
    """Somebody deletes the queue and makes it again: its messages are gone."""
    world.clients["sqs"].delete_queue(QueueUrl=world.url)
    world.make_queue()
    return operation()


_KINDS: dict[str, Callable[[World, Callable[[], Any]], Any]] = {
    "throttled": _error("ThrottlingException"), "denied once": _error("AccessDeniedException"),
    "server error": _error("InternalError"), "answer lost": _lost, "killed before": _killed_before,
    "killed after": _killed_after, "told to stop": _stopped, "visibility lost": _visibility_lost,
    "delivered twice": _twice, "disk full": _disk_full, "queue deleted": _queue_deleted,
}  # fmt: skip


@contextmanager
def no_time_but(clock: Clock, monkeypatch: Any) -> Iterator[None]:
    """SQS, the ledger and the worker read ``clock``."""
    monkeypatch.setattr("moto.sqs.models.unix_time", lambda *_: clock.now)
    monkeypatch.setattr("moto.sqs.models.unix_time_millis", lambda *_: clock.now * 1000)
    monkeypatch.setattr("shoal.jobs.recovery.time", SimpleNamespace(time=clock))
    monkeypatch.setattr("shoal.jobs.recovery.QUIET", timedelta(minutes=-6))
    monkeypatch.setattr("shoal_worker.service.video_queue.POLL_SECONDS", 0)
    yield
