"""One video after another: how each delivery ends, in S3, in the table and in the queue."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from shoal.contracts.job import JobMessage, job_key
from shoal_worker.service.consumer import BACKOFF_SECONDS, backoff
from shoal_worker.service.errors import ConfigurationError, Transient, VideoUnreadable
from shoal_worker.service.progress import Attempt
from shoal_worker.service.records import Finished, JobRecords, Lease
from shoal_worker.service.video_queue import VideoQueue

VIDEO = "videos/reef/dive/a.mp4"
RESULT = "tracks/reef/dive/a.tracks.tar.gz"
BODY = {"video": VIDEO, "job_id": "j1", "deployment": "reef", "clean": "False"}


def raising(error: Exception) -> Callable[[Attempt], None]:
    def instead(attempt: Attempt) -> None:
        raise error

    return instead


def count(room: Any, name: str) -> int:
    return int(room.consumer.activity.snapshot()["counts"][name])


def test_a_video_succeeds(room: Any) -> None:
    # Given
    room.put_video(VIDEO)
    room.send(BODY)
    # When
    room.consumer.step()
    # Then
    record = room.record("j1")
    assert (record["status"], record["result"], record["frames"], record["tracks"]) == (
        "SUCCEEDED",
        RESULT,
        "4",
        "2",
    )
    assert room.exists("tracks-bucket", RESULT)
    assert room.exists("videos-bucket", VIDEO)
    assert room.messages() == (0, 0)
    assert room.tracker.seen == [("a.mp4", b"video")]
    assert list(room.consumer.work.work_dir.iterdir()) == []


def test_a_hand_made_message_gets_a_record_that_its_redelivery_shares(room: Any) -> None:
    room.put_video(VIDEO)
    message_id = room.send({"video": VIDEO, "clean": "False", "job_name": "dive", "user_name": "ann"})
    room.consumer.step()
    record = room.record(f"message-{message_id}")
    assert (record["status"], record["job_name"], record["user_name"]) == ("SUCCEEDED", "dive", "ann")


def test_clean_removes_the_source_after_the_result_is_stored(
    room: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given
    room.put_video(VIDEO)
    room.send(BODY | {"clean": "True"})
    seen: list[tuple[bool, str]] = []
    remove = room.consumer.work.storage.remove

    def watched(bucket: str, key: str) -> None:
        seen.append((room.exists("tracks-bucket", RESULT), room.record("j1")["status"]))
        remove(bucket, key)

    monkeypatch.setattr(room.consumer.work.storage, "remove", watched)
    # When
    room.consumer.step()
    # Then
    assert seen == [(True, "SUCCEEDED")]
    assert not room.exists("videos-bucket", VIDEO)


def test_clean_is_tried_again_when_s3_refuses(room: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given
    room.put_video(VIDEO)
    room.send(BODY | {"clean": "True"})
    with monkeypatch.context() as patched:
        patched.setattr(room.consumer.work.storage, "remove", _refuses)
        room.consumer.step()
    assert (room.record("j1")["status"], room.messages()) == ("SUCCEEDED", (0, 1))
    # When the message comes back
    for delivery in _in_flight(room):
        room.consumer.queue.extend(delivery, 0)
    room.consumer.step()
    # Then
    assert not room.exists("videos-bucket", VIDEO)
    assert (len(room.tracker.seen), room.messages()) == (1, (0, 0))


def _refuses(bucket: str, key: str) -> None:
    raise Transient("S3 is slow")


def test_clean_keeps_the_source_of_a_video_that_failed(room: Any) -> None:
    room.put_video(VIDEO)
    room.send(BODY | {"clean": "True"})
    room.tracker.instead = raising(VideoUnreadable("no frame"))
    room.consumer.step()
    assert room.exists("videos-bucket", VIDEO)
    assert room.record("j1")["status"] == "FAILED"


def test_a_duplicate_of_a_finished_video_is_not_tracked_again(room: Any) -> None:
    # Given a video that succeeded, whose message was not deleted
    room.put_video(VIDEO)
    room.send(BODY)
    room.consumer.step()
    room.send(BODY | {"clean": "True"})
    # When
    room.consumer.step()
    # Then
    assert len(room.tracker.seen) == 1
    assert room.messages() == (0, 0)
    assert not room.exists("videos-bucket", VIDEO)


@pytest.mark.parametrize(
    ("put", "error", "word"),
    [
        (False, None, "does not exist: upload it"),
        (True, VideoUnreadable("no frame can be decoded: encode it again"), "no frame can be decoded"),
    ],
)
def test_a_permanent_error_fails_the_job_and_ends_the_message(
    put: bool, error: Exception | None, word: str, room: Any
) -> None:
    if put:
        room.put_video(VIDEO)
    if error:
        room.tracker.instead = raising(error)
    room.send(BODY)
    room.consumer.step()
    assert room.record("j1")["status"] == "FAILED"
    assert word in room.record("j1")["reason"]
    assert room.messages() == (0, 0)
    assert count(room, "failed") == 1


@pytest.mark.parametrize(
    "error",
    [Transient("S3 is slow"), OSError(28, "No space left on device"), MemoryError("GPU"), KeyError("defect")],
)
def test_any_other_error_leaves_the_message_for_another_attempt(error: Exception, room: Any) -> None:
    # Given
    room.put_video(VIDEO)
    room.send(BODY)
    room.tracker.instead = raising(error)
    # When
    room.consumer.step()
    # Then
    assert room.messages() == (0, 1)
    assert room.record("j1")["status"] == "QUEUED"
    assert "attempt 1" in room.record("j1")["reason"]
    assert count(room, "retried") == 1


@pytest.mark.parametrize(("receives", "status", "wait"), [(4, "QUEUED", (0, 1)), (5, "FAILED", (1, 0))])
def test_the_last_attempt_fails_the_job_and_leaves_the_message_to_the_dead_letter_queue(
    receives: int, status: str, wait: tuple[int, int], room: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given
    room.put_video(VIDEO)
    room.send(BODY)
    room.consumer.maximum_receives = 5
    room.tracker.instead = raising(Transient("S3 is slow"))
    delivery = replace(room.consumer.queue.receive(), receives=receives)
    # When
    room.consumer.handle(delivery)
    # Then
    assert (room.record("j1")["status"], room.messages()) == (status, wait)
    assert "S3 is slow" in room.record("j1")["reason"]


@pytest.mark.parametrize(
    ("released", "status", "tracked"), [(0, "FAILED", 0), (1, "SUCCEEDED", 1)], ids=["tried", "told to stop"]
)
def test_a_video_that_had_its_attempts_is_not_tried_by_a_further_message(
    released: int, status: str, tracked: int, room: Any
) -> None:
    # Given five attempts by a message that was lost
    room.put_video(VIDEO)
    room.consumer.maximum_receives = 5
    numbers = {"attempts": {"N": "5"}, "released": {"N": str(released)}, "status": {"S": "QUEUED"}}
    key = {name: {"S": text} for name, text in job_key("reef", "j1").items()}
    room.clients["dynamodb"].put_item(TableName="jobs", Item=key | numbers)
    # When it comes again
    room.send(BODY)
    room.consumer.step()
    # Then
    assert (room.record("j1")["status"], len(room.tracker.seen), room.messages()) == (status, tracked, (0, 0))
    assert status == "SUCCEEDED" or "5 attempts ended without a result" in room.record("j1")["reason"]


def test_a_second_message_of_a_video_that_cannot_be_tracked_begins_nothing(room: Any) -> None:
    # Given
    room.put_video(VIDEO)
    room.tracker.instead = raising(VideoUnreadable("it is no video"))
    room.send(BODY)
    room.consumer.step()
    # When
    room.send(BODY)
    room.consumer.step()
    # Then its source stays, though it was to be cleaned
    record = room.record("j1")
    assert (record["status"], record["attempts"], len(room.tracker.seen)) == ("FAILED", "1", 1)
    assert (room.messages(), room.exists("videos-bucket", VIDEO)) == ((0, 0), True)


@pytest.mark.parametrize(("policy", "expected"), [({"maxReceiveCount": "5"}, 5), (None, 0)])
def test_the_queue_tells_its_last_attempt(policy: dict[str, str] | None, expected: int, room: Any) -> None:
    sqs = room.clients["sqs"]
    if policy:
        dead = sqs.create_queue(QueueName="dead")["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        redrive = json.dumps(policy | {"deadLetterTargetArn": arn})
        sqs.set_queue_attributes(QueueUrl=room.url, Attributes={"RedrivePolicy": redrive})
    assert room.consumer.queue.maximum_receives() == expected


def test_a_queue_that_is_not_there_stops_the_start(room: Any) -> None:
    with pytest.raises(ConfigurationError, match="VIDEO_QUEUE"):
        VideoQueue(room.clients["sqs"], room.url + "-absent").maximum_receives()


@pytest.mark.parametrize(("receives", "seconds"), [(0, 30), (1, 30), (2, 60), (5, 300), (50, 300)])
def test_the_wait_grows_with_the_receives(receives: int, seconds: int) -> None:
    assert backoff(receives) == seconds
    assert max(BACKOFF_SECONDS) < 12 * 3600


def test_a_worker_that_lost_its_video_writes_nothing(room: Any) -> None:
    # Given a video that somebody else has taken, and finished, while it was tracked here
    room.put_video(VIDEO)
    room.send(BODY)

    def instead(attempt: Attempt) -> None:
        clock = lambda: time.time() + 3600  # noqa: E731 - an hour in which nothing was heard of us
        later = JobRecords(room.clients["dynamodb"], "jobs", "reef", clock=clock)
        other = later.start("j1", JobMessage(video=VIDEO))
        room.clients["s3"].put_object(Bucket="tracks-bucket", Key=RESULT, Body=b"the other's")
        room.consumer.records.succeed(other, Finished(RESULT, 7, 7, 7.0))

    room.tracker.instead = instead
    # When
    room.consumer.step()
    # Then
    assert room.clients["s3"].get_object(Bucket="tracks-bucket", Key=RESULT)["Body"].read() == b"the other's"
    assert (room.record("j1")["frames"], room.record("j1")["attempts"]) == ("7", "2")
    assert room.messages() == (0, 1)  # left to its owner
    assert count(room, "succeeded") == 0


def test_the_owner_replaces_what_a_late_worker_left(room: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a late worker that writes between our last look and our write
    room.put_video(VIDEO)
    room.send(BODY)
    storage, replaced = room.consumer.work.storage, room.consumer.work.storage.replace

    def late(*given: Any) -> None:
        monkeypatch.setattr(storage, "replace", replaced)
        room.clients["s3"].put_object(Bucket="tracks-bucket", Key=RESULT, Body=b"late")
        replaced(*given)

    monkeypatch.setattr(storage, "replace", late)
    # When
    room.consumer.step()
    # Then
    assert room.clients["s3"].get_object(Bucket="tracks-bucket", Key=RESULT)["Body"].read() != b"late"
    assert room.record("j1")["status"] == "SUCCEEDED"


def test_a_cancelled_video_is_stopped_and_its_message_goes_at_the_next_delivery(room: Any) -> None:
    # Given
    room.put_video(VIDEO)
    room.send(BODY)

    def instead(attempt: Attempt) -> None:
        key = {name: {"S": text} for name, text in job_key("reef", "j1").items()}
        room.clients["dynamodb"].update_item(
            TableName="jobs", Key=key, UpdateExpression="SET #s = :c",
            ExpressionAttributeNames={"#s": "status"}, ExpressionAttributeValues={":c": {"S": "CANCELLED"}},
        )  # fmt: skip

    room.tracker.instead = instead
    # When
    room.consumer.step()
    for delivery in _in_flight(room):
        room.consumer.queue.extend(delivery, 0)
    room.consumer.step()
    # Then
    assert room.record("j1")["status"] == "CANCELLED"
    assert not room.exists("tracks-bucket", RESULT)
    assert room.messages() == (0, 0)
    assert len(room.tracker.seen) == 1


@pytest.mark.parametrize(("same", "left"), [(True, (0, 1)), (False, (0, 0))])
def test_a_second_delivery_of_a_video_under_way_disturbs_nobody(
    same: bool, left: tuple[int, int], room: Any
) -> None:
    # Given a video that another worker has, by this message or by one of its own
    room.put_video(VIDEO)
    message_id = room.send(BODY)
    lease = room.consumer.records.start("j1", JobMessage(video=VIDEO), message_id if same else "another")
    # When
    room.consumer.step()
    # Then
    assert room.consumer.records.holds(lease)
    assert (room.tracker.seen, room.messages()) == ([], left)


def test_a_stop_releases_the_video_at_once(room: Any) -> None:
    # Given
    room.put_video(VIDEO)
    room.send(BODY)
    room.tracker.instead = lambda attempt: room.consumer.stop.set()
    # When
    room.consumer.run()
    # Then
    assert room.messages() == (1, 0)
    assert room.record("j1")["status"] == "QUEUED"
    assert not room.exists("tracks-bucket", RESULT)
    assert count(room, "released") == 1


def test_a_message_that_came_with_the_stop_is_given_back(room: Any) -> None:
    room.send(BODY)
    room.consumer.stop.set()
    room.consumer.step()
    assert room.messages() == (1, 0)
    assert room.record("j1") == {}


def test_a_forced_stop_releases_what_is_in_hand(room: Any) -> None:
    room.put_video(VIDEO)
    room.send(BODY)
    seen: list[tuple[int, int]] = []

    def instead(attempt: Attempt) -> None:
        room.consumer.release_current()
        seen.append(room.messages())

    room.tracker.instead = instead
    room.consumer.step()
    assert seen == [(1, 0)]
    assert (room.record("j1")["status"], room.record("j1")["released"]) == ("QUEUED", "1")
    assert not room.exists("tracks-bucket", RESULT)


@pytest.mark.parametrize("forced", [False, True])
def test_who_gets_a_released_message_may_work_on_it_at_once(
    forced: bool, room: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given somebody who looks at the record in the moment in which the message is visible again
    room.put_video(VIDEO)
    room.send(BODY)
    extend, seen = room.consumer.queue.extend, []

    def watched(*given: Any) -> None:
        extend(*given)
        seen.append(room.record("j1")["status"])

    monkeypatch.setattr(room.consumer.queue, "extend", watched)
    room.tracker.instead = lambda attempt: (
        room.consumer.release_current() if forced else room.consumer.stop.set()
    )
    # When
    room.consumer.step()
    # Then
    assert seen[0] == "QUEUED"


def test_a_message_is_released_though_its_record_cannot_be_written(
    room: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    room.put_video(VIDEO)
    room.send(BODY)
    monkeypatch.setattr(room.consumer.records, "requeue", lambda *_, **__: raising(Transient("slow"))(None))
    room.tracker.instead = lambda attempt: room.consumer.stop.set()
    with pytest.raises(Transient):
        room.consumer.step()
    assert room.messages() == (1, 0)


def test_the_deadline_really_stops_a_video(room: Any) -> None:
    room.put_video(VIDEO)
    room.send(BODY)
    room.consumer.timeout_seconds = -1.0
    room.consumer.step()
    assert room.record("j1")["status"] == "FAILED"
    assert "TIMEOUT_HOURS" in room.record("j1")["reason"]
    assert room.messages() == (0, 0)


def test_a_hung_video_is_failed_and_the_process_left(room: Any) -> None:
    # Given a video inside one native call
    room.put_video(VIDEO)
    room.send(BODY)

    def instead(attempt: Attempt) -> None:
        delivery = room.consumer._current
        job = type("Job", (), {"job_id": "j1", "message": JobMessage(video=VIDEO)})()
        room.consumer._hung(delivery, job, Lease("j1", 1))

    room.tracker.instead = instead
    # When
    room.consumer.step()
    # Then
    assert room.left == ["left"]


@pytest.mark.parametrize(
    ("body", "recorded"),
    [("not json", False), ({"clean": "True"}, False), ({"job_id": "j1"}, False), ({"job_id": "j1"}, True)],
)
def test_a_bad_message_fails_its_job_or_waits_for_the_dead_letter_queue(
    body: Any, recorded: bool, room: Any, caplog: pytest.LogCaptureFixture
) -> None:
    # Given
    if recorded:
        room.consumer.records.requeue(room.consumer.records.start("j1", JobMessage(video=VIDEO)), "")
    room.send(body)
    # When
    with caplog.at_level(logging.ERROR):
        room.consumer.step()
    # Then
    assert "bad message" in caplog.text
    assert room.messages() == ((0, 0) if recorded else (0, 1))
    if recorded:
        assert (room.record("j1")["status"], "video" in room.record("j1")["reason"]) == ("FAILED", True)
    assert room.tracker.seen == []


def test_poison_ends_in_the_dead_letter_queue(room: Any) -> None:
    # Given a queue that gives up after two receives
    sqs = room.clients["sqs"]
    dead = sqs.create_queue(QueueName="dead")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = f'{{"deadLetterTargetArn": "{arn}", "maxReceiveCount": "2"}}'
    sqs.set_queue_attributes(QueueUrl=room.url, Attributes={"RedrivePolicy": policy})
    room.send("poison")
    # When its visibility ends each time
    for _ in range(3):
        room.consumer.step()
        for queued in _in_flight(room):
            room.consumer.queue.extend(queued, 0)
    # Then
    assert len(sqs.receive_message(QueueUrl=dead).get("Messages", [])) == 1
    assert room.messages() == (0, 0)


def _in_flight(room: Any) -> list[Any]:
    from moto.sqs.models import sqs_backends

    queue = next(
        queue for queue in sqs_backends["123456789012"]["us-west-2"].queues.values() if queue.name == "videos"
    )
    return [type("D", (), {"receipt": m.receipt_handle, "message_id": m.id})() for m in queue._messages]


def test_the_test_event_of_s3_is_deleted(room: Any, caplog: pytest.LogCaptureFixture) -> None:
    room.send('{"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "videos"}')
    with caplog.at_level(logging.INFO):
        room.consumer.step()
    assert room.messages() == (0, 0)
    assert "s3:TestEvent" in caplog.text


def test_the_loop_outlives_a_queue_that_does_not_answer(
    room: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    # Given two faults, then an order to stop
    faults = [Transient("throttled"), RuntimeError("defect")]

    def receive() -> None:
        if faults:
            raise faults.pop(0)
        room.consumer.stop.set()

    monkeypatch.setattr(room.consumer.queue, "receive", receive)
    # When
    room.consumer.run()
    # Then
    assert "throttled" in caplog.text
    assert "defect" in caplog.text


def test_protection_follows_the_edges(room: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    monkeypatch.setattr(room.consumer.protection, "busy", lambda: seen.append("busy"))
    monkeypatch.setattr(room.consumer.protection, "idle", lambda: seen.append("idle"))
    room.put_video(VIDEO)
    room.send(BODY)
    room.consumer.step()
    room.consumer.step()
    assert seen == ["busy", "idle"]


def test_progress_is_shown_while_a_video_is_tracked(room: Any) -> None:
    room.put_video(VIDEO)
    room.send(BODY)
    seen: list[Any] = []

    def instead(attempt: Attempt) -> None:
        attempt.phase("track")(3, 32)
        seen.append(room.consumer.activity.snapshot()["current"])

    room.tracker.instead = instead
    room.consumer.step()
    expected = {"job": "j1", "video": VIDEO, "attempt": 1, "phase": "track", "done": 3, "total": 32}
    assert seen == [expected]
    assert room.consumer.activity.snapshot()["current"] is None
