"""A real worker that is killed at a moment of its own: a call to AWS, before it has an effect or after it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from shoal.contracts.job import JobMessage, dive_key, result_key, tally_key
from shoal.jobs import feed, recovery, store
from worker_process import Cloud

DIVE = "D1"
WORKER = "killed"
"""AWS_EXECUTION_ENV of a worker: botocore sends it along, so that its calls are told from the test's."""
RECEIVES = 5
HIDDEN_SECONDS = 301
"""After which a message that nobody keeps hidden, or a lease that nobody renews, is another worker's."""
_FOLDERS = {
    "videos/": {"GET": "download", "DELETE": "remove the source"},
    "tracks/": {"HEAD": "look for a result", "PUT": "upload"},
    "checkpoints/": {"GET": "read the checkpoint", "PUT": "checkpoint", "DELETE": "clear the checkpoint"},
}
_OPERATIONS = {
    "ReceiveMessage": "receive", "DeleteMessage": "delete the message", "TransactWriteItems": "complete",
    "UpdateItem": "record", "ChangeMessageVisibility": "visibility",
}  # fmt: skip


@dataclass(frozen=True)
class Moment:
    """The ``number``-th call of a kind, ``before`` its effect or ``after`` it."""

    call: str
    number: int
    side: str

    def __str__(self) -> str:
        return f"{self.side} {self.call} {self.number}"


@dataclass
class Trap:
    """Stands before moto and counts a worker's calls; at ``moment`` it calls ``spring``."""

    inner: Any
    moment: Moment | None = None
    spring: Callable[[], None] = lambda: None
    seen: list[str] = field(default_factory=list)
    sprung: bool = False
    _counts: Counter[tuple[str, str]] = field(default_factory=Counter)

    def arm(self, moment: Moment | None, spring: Callable[[], None] = lambda: None) -> None:
        """From now on; ``None`` counts only."""
        self.moment, self.spring, self.sprung = moment, spring, False
        self.seen.clear()
        self._counts.clear()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        ours = f"exec-env/{WORKER}" not in environ.get("HTTP_USER_AGENT", "")
        call = "" if ours else call_of(environ)
        if call and call != "receive" and self._is_now(call, "before"):
            self.spring()
            start_response("500 Killed", [])
            return []
        answer = list(self.inner(environ, start_response))
        if call and not (call == "receive" and b"ReceiptHandle" not in b"".join(answer)):
            self.seen.append(call)
            if self._is_now(call, "after"):
                self.spring()
        return answer

    def _is_now(self, call: str, side: str) -> bool:
        self._counts[call, side] += 1
        moment = Moment(call, self._counts[call, side], side)
        if self.sprung or moment != self.moment:
            return False
        self.sprung = True
        return True


def call_of(environ: dict[str, Any]) -> str:
    """What a call is in a video's life; empty for those that are not of it."""
    target = str(environ.get("HTTP_X_AMZ_TARGET", "")).rpartition(".")[2]
    if target:
        return _OPERATIONS.get(target, "")
    _, _, key = environ.get("PATH_INFO", "").lstrip("/").partition("/")
    calls = next((calls for folder, calls in _FOLDERS.items() if key.startswith(folder)), {})
    return calls.get(environ.get("REQUEST_METHOD", ""), "")


@dataclass
class Ledger:
    """The jobs of one deployment on a loopback cloud, by the product's own intake; a clock that can be set
    forward."""

    cloud: Cloud
    queue: str
    dead: str
    ahead: float = 0.0

    def submit(self, name: str, content: bytes) -> str:
        """Record and send one video that is to be removed behind its result; answers its key."""
        video = f"videos/reef/{name}.mp4"
        self.cloud.put(video, content)
        message = JobMessage(video=video, clean=True, job_id=name, deployment="reef", job_name=DIVE)
        store.record([store.Request(message, work=name)])
        feed.top_up("reef", self.queue)
        return video

    def pass_time(self) -> None:
        """What a dead worker held is free."""
        self.ahead += HIDDEN_SECONDS
        items = self.cloud.clients["dynamodb"].scan(TableName="deployments")["Items"]
        for item in items:
            if "lease_until" in item:
                self.cloud.clients["dynamodb"].update_item(
                    TableName="deployments",
                    Key={name: item[name] for name in ("pk", "sk")},
                    UpdateExpression="SET lease_until = :past",
                    ExpressionAttributeValues={":past": {"N": "0"}},
                )

    def is_over(self, name: str) -> bool:
        """Whether a job has ended and no message is left of it."""
        ended = self.cloud.record(name).get("status") in {"SUCCEEDED", "FAILED"}
        return ended and self.cloud.in_queue(self.queue) == (0, 0)

    def end_what_nobody_has(self, monkeypatch: Any) -> tuple[int, int]:
        """The reconciler's look at a deployment whose queue is empty, after its six minutes of silence."""
        from datetime import timedelta

        monkeypatch.setattr(recovery, "QUIET", timedelta(minutes=-6))
        return recovery.recover("reef")

    def sums(self, key: dict[str, str]) -> dict[str, int]:
        item, names = self.cloud.item(key), ("submitted", "succeeded", "failed")
        return {name: int(item[name]) for name in names if name in item}

    def wrong(self, videos: list[str], frames: str) -> tuple[list[str], list[str]]:
        """The videos that are lost, and what was counted twice."""
        names = [video.rpartition("/")[2].removesuffix(".mp4") for video in videos]
        records = {name: self.cloud.record(name) for name in names}
        done = {
            name
            for name, one in records.items()
            if (one.get("status"), one.get("frames")) == ("SUCCEEDED", frames)
        }
        lost = [f"{name}: {records[name]}" for name in names if name not in done]
        results = self.cloud.keys("results")
        lost += [f"{video}: no result" for video in videos if result_key(video) not in results]
        more = [f"{key}: nobody's" for key in results - {result_key(video) for video in videos}]
        for key in (tally_key("reef"), dive_key("reef", DIVE)):
            found = self.sums(key)
            if (found.get("submitted"), found.get("succeeded"), found.get("failed", 0)) != (
                len(videos),
                len(videos),
                0,
            ):
                more.append(f"{key['sk']}: {found}")
        return lost, more


def shifted_clock(ledger: Ledger, monkeypatch: Any) -> None:
    """SQS's clock is ahead by what the ledger says."""
    import moto.sqs.models as sqs

    seconds, milliseconds = sqs.unix_time, sqs.unix_time_millis
    monkeypatch.setattr(sqs, "unix_time", lambda *given: seconds(*given) + ledger.ahead)
    monkeypatch.setattr(sqs, "unix_time_millis", lambda *given: milliseconds(*given) + ledger.ahead * 1000)


def queues(cloud: Cloud, name: str) -> tuple[str, str]:
    """A queue and its dead-letter queue, as a deployment has them."""
    sqs = cloud.clients["sqs"]
    dead, names = cloud.queue(f"{name}-dead"), ["QueueArn"]
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=names)["Attributes"]["QueueArn"]
    policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": RECEIVES})
    made = sqs.create_queue(QueueName=name, Attributes={"RedrivePolicy": policy, "VisibilityTimeout": "300"})
    return str(made["QueueUrl"]), dead
