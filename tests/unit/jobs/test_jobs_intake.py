"""What the intake makes of videos: once for each piece of work, by request or upload, nothing lost."""

from __future__ import annotations

from typing import Any

import pytest
from rest_world import World, desired, load_app, move
from shoal import deployments, fleet, jobs, table
from shoal.aws import client
from shoal.contracts.job import JobRecord, dive_key, job_key, tally_key
from shoal.contracts.status import DeploymentStatus, JobStatus
from shoal.jobs import deaths, recovery, store
from shoal_local import strict

VIDEO, OTHER = "videos/reef/a.mp4", "videos/reef/b.mp4"


def submit(world: World, *videos: str, **more: Any) -> dict[str, Any]:
    answer = world.call("POST", "/deploy/reef/jobs", {"videos": list(videos), **more})
    assert answer.status == 202, answer.body
    return answer.body


def count(url: str) -> int:
    names = ["ApproximateNumberOfMessages"]
    return int(client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"][names[0]])


def become(job: dict[str, Any], status: JobStatus, **fields: Any) -> None:
    """What the worker or the past has made of a job."""
    item = table.read(job_key("reef", job["job_id"])) or {}
    table.write({"Put": {"Item": item | {"status": status} | fields}})


def sums(key: dict[str, str]) -> dict[str, int]:
    item = table.read(key) or {}
    return {name: item[name] for name in ("submitted", "failed") if name in item}


@pytest.mark.parametrize("status", [JobStatus.QUEUED, JobStatus.RUNNING, JobStatus.SUCCEEDED])
def test_the_same_work_is_done_once(world: World, status: JobStatus) -> None:
    # Given
    url = world.ready("reef")
    world.upload(VIDEO, OTHER)
    first = submit(world, VIDEO)["jobs"][0]
    become(first, status)
    # When
    again = submit(world, OTHER, VIDEO)
    # Then
    assert [one["video"] for one in again["jobs"]] == [OTHER, VIDEO]
    assert (again["new"], again["jobs"][1]["job_id"], count(url)) == (1, first["job_id"], 2)


@pytest.mark.parametrize("change", ["force", "args", "content", "model", "failed before", "cancelled before"])
def test_other_work_is_a_new_job(world: World, change: str) -> None:
    # Given
    url = world.ready("reef")
    world.upload(VIDEO)
    first = submit(world, VIDEO)["jobs"][0]
    more: dict[str, Any] = {"force": True} if change == "force" else {}
    # When
    if change == "args":
        more = {"args": "--conf-thres=0.2"}
    if change == "content":
        client("s3").put_object(Bucket="shoal-data", Key=VIDEO, Body=b"another film")
    if change == "model":
        client("s3").put_object(Bucket="shoal-data", Key="models/reef.onnx", Body=b"trained again")
    if change.endswith("before"):
        become(first, JobStatus(change.split()[0].upper()))
    second = submit(world, VIDEO, **more)
    # Then
    assert (second["new"], count(url)) == (1, 2)
    assert second["jobs"][0]["job_id"] != first["job_id"]
    # And that one is the work now
    assert submit(world, VIDEO, **(more | {"force": False}))["jobs"] == second["jobs"]


def test_what_is_not_there_fails_without_waking_anybody(world: World) -> None:
    url = world.ready("reef")
    client("s3").put_object(Bucket="shoal-data", Key=OTHER, Body=b"")
    answer = submit(world, VIDEO, OTHER, job_name="dive 1")
    assert [one["status"] for one in answer["jobs"]] == ["FAILED", "FAILED"]
    assert "does not exist: upload it" in answer["jobs"][0]["reason"]
    assert "is empty" in answer["jobs"][1]["reason"]
    assert (answer["new"], answer["desired_workers"], count(url), desired("reef")) == (0, None, 0, 0)
    assert sums(dive_key("reef", "dive 1")) == {"submitted": 2, "failed": 2}


def test_a_large_dive_is_counted_in_full(world: World) -> None:
    # Given more than one transaction holds
    world.ready("reef")
    keys = [f"videos/reef/{number}.mp4" for number in range(70)]
    world.upload(*keys)
    # When
    submit(world, *keys, "videos/reef/gone.mp4", job_name="dive 1")
    # Then
    expected = {"submitted": 71, "failed": 1}
    assert (sums(tally_key("reef")), sums(dive_key("reef", "dive 1"))) == (expected, expected)
    assert recovery.unfinished("reef") == 70
    assert table.query(table.deployment_key("reef"), "FEED#") == []


def test_no_transaction_is_larger_than_dynamodb_takes(world: World) -> None:
    # Given as much of everything as a submission may hold
    url = world.ready("reef")
    keys = [f"videos/reef/{number}.mp4" for number in range(49)]
    world.upload(*keys)
    # When DynamoDB's limit of 4 MB is kept
    with strict.installed():
        answer = submit(world, *keys, job_name="dive 1", metadata={"note": "x" * 65_000})
    # Then
    assert [one["status"] for one in answer["jobs"]] == ["QUEUED"] * 49
    assert (answer["new"], count(url)) == (49, 49)
    assert sums(dive_key("reef", "dive 1")) == {"submitted": 49, "failed": 0}
    assert table.query(table.deployment_key("reef"), "FEED#") == []


def test_the_queue_is_fed_as_far_as_there_is_room(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given
    monkeypatch.setattr("shoal.jobs.feed.ROOM", 3)
    url = world.ready("reef")
    keys = [f"videos/reef/{number}.mp4" for number in range(5)]
    world.upload(*keys)
    # When
    submit(world, *keys)
    # Then the rest waits in the table
    assert count(url) == 3
    # When two are taken
    client("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=2)
    fleet.reconcile()
    # Then
    assert (count(url), table.query(table.deployment_key("reef"), "FEED#")) == (3, [])


def test_an_intake_that_died_before_it_sent_loses_nothing(world: World) -> None:
    # Given one that got as far as the table
    url = world.ready("reef")
    world.upload(VIDEO)
    jobs.take(deployments.get("reef"), jobs.Submission(videos=[VIDEO]), "shoal-data")
    assert count(url) == 0
    # When
    fleet.reconcile()
    # Then
    assert (count(url), desired("reef")) == (1, 1)


def test_two_submissions_at_once_make_one_job(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given somebody who records the same work between our look and our write
    world.ready("reef")
    world.upload(VIDEO)
    look, seen = store._pointers, []

    def meanwhile(batch: list[Any]) -> dict[str, str]:
        found = look(batch)
        if not seen:
            seen.append(True)
            others, _ = jobs.take(deployments.get("reef"), jobs.Submission(videos=[VIDEO]), "shoal-data")
            seen.append(others[0].job_id)
        return found

    monkeypatch.setattr(store, "_pointers", meanwhile)
    # When
    ours = submit(world, VIDEO)
    # Then
    assert (ours["new"], ours["jobs"][0]["job_id"]) == (0, seen[1])
    assert len(world.call("GET", "/deploy/reef/jobs").body["jobs"]) == 1


def created(key: str, bucket: str = "shoal-data") -> dict[str, Any]:
    """EventBridge's form of S3's event (S3 guide, "EventBridge event message structure")."""
    return {
        "detail-type": "Object Created", "source": "aws.s3", "account": "123456789012",
        "detail": {"version": "0", "bucket": {"name": bucket}, "object": {"key": key, "size": 1}},
    }  # fmt: skip


def upload(event: Any) -> str:
    return str(load_app("job_intake").lambda_handler(event, None)["outcome"])


def test_an_upload_alone_starts_tracking_once(world: World) -> None:
    # Given
    url = world.ready("reef")
    world.upload(VIDEO)
    # When S3 tells it twice
    first, second = upload(created(VIDEO)), upload(created(VIDEO))
    # Then
    (job,) = world.call("GET", "/deploy/reef/jobs").body["jobs"]
    assert (first, second) == (f"job {job['job_id']}", f"known as job {job['job_id']}")
    assert (job["user_name"], count(url), desired("reef")) == ("upload", 1, 1)


@pytest.mark.parametrize(
    ("event", "word"),
    [
        ({"Event": "s3:TestEvent", "Bucket": "shoal-data"}, "s3:TestEvent"),
        (created("videos/reef/notes.txt"), "it is no video"),
        (created("videos/reef/._a.mp4/"), "without empty"),
        (created("models/reef.onnx"), "not below videos/"),
        (created(VIDEO, "elsewhere"), "not below videos/"),
        (created("videos/nobody/a.mp4"), "there is no deployment nobody"),
        (created("videos/a.mp4"), "there is no deployment a.mp4"),
        (created("videos/gone/a.mp4"), "there is no deployment gone"),
        (created("videos/web/a.mp4"), "web serves an endpoint only"),
        (created("videos/reef/absent.mp4"), "does not exist"),
        (created("videos/reef/sent.mp4"), "shoal process submits it"),
        ({}, "not below videos/"),
        ({"detail": {"bucket": 1, "object": {"key": []}}}, "not below videos/"),
    ],
)
def test_what_is_no_video_of_ours_is_ignored_with_a_reason(world: World, event: Any, word: str) -> None:
    # Given
    world.ready("reef")
    world.ready("web", serves=("endpoint",))
    world.ready("gone")
    move("gone", 1, DeploymentStatus.DELETING, DeploymentStatus.DELETED)
    client("s3").put_object(
        Bucket="shoal-data", Key="videos/reef/sent.mp4", Body=b"x",
        Metadata={"shoal-submitted-by": "shoal process"},
    )  # fmt: skip
    # When
    outcome = upload(event)
    # Then
    assert outcome.startswith("ignored: ")
    assert word in outcome
    assert world.call("GET", "/deploy/reef/jobs").body["jobs"] == []


def test_an_upload_before_the_deployment_is_ready_waits_for_it(world: World) -> None:
    # Given
    url = world.ready("reef")
    move("reef", 1, DeploymentStatus.DELETING, DeploymentStatus.DELETED)
    move("reef", 1, DeploymentStatus.ACCEPTED, DeploymentStatus.DEPLOYING)
    world.upload(VIDEO)
    # When
    upload(created(VIDEO))
    fleet.reconcile()
    assert count(url) == 0
    move("reef", 1, DeploymentStatus.READY)
    fleet.reconcile()
    # Then
    assert (count(url), desired("reef")) == (1, 1)


LONG_AGO = "2026-01-01T00:00:00+00:00"


@pytest.mark.parametrize(
    ("status", "fields", "expected", "messages"),
    [
        (JobStatus.QUEUED, {"updated_at": LONG_AGO}, "QUEUED", 1),  # SQS forgot it
        (JobStatus.RUNNING, {"updated_at": LONG_AGO, "attempts": 2, "lease_until": 5}, "QUEUED", 1),
        (
            JobStatus.RUNNING,
            {"updated_at": LONG_AGO, "attempts": 2, "lease_until": 9_000_000_000},
            "RUNNING",
            0,
        ),
        (JobStatus.RUNNING, {"attempts": 2}, "RUNNING", 0),  # heard of a moment ago
        (JobStatus.RUNNING, {"updated_at": LONG_AGO, "attempts": 5}, "FAILED", 0),  # poison
        (JobStatus.QUEUED, {"updated_at": LONG_AGO, "attempts": 6, "released": 3}, "QUEUED", 1),  # Spot
        (JobStatus.SUCCEEDED, {"updated_at": LONG_AGO}, "SUCCEEDED", 0),
    ],
)
def test_a_job_whose_message_is_gone_is_found(
    world: World, status: JobStatus, fields: dict[str, Any], expected: str, messages: int
) -> None:
    # Given
    url = world.ready("reef")
    world.upload(VIDEO)
    job = submit(world, VIDEO, job_name="dive 1", args="--conf-thres=0.3", clean=True)["jobs"][0]
    before = client("sqs").receive_message(QueueUrl=url)["Messages"][0]
    client("sqs").delete_message(QueueUrl=url, ReceiptHandle=before["ReceiptHandle"])
    become(job, status, **fields)
    # When
    fleet.reconcile()
    fleet.reconcile()
    # Then
    record = JobRecord.model_validate(table.read(job_key("reef", job["job_id"])))
    assert (record.status, count(url)) == (expected, messages)
    if messages:
        assert client("sqs").receive_message(QueueUrl=url)["Messages"][0]["Body"] == before["Body"]
    if expected == "FAILED":
        assert "out of memory" in record.reason
        assert sums(dive_key("reef", "dive 1"))["failed"] == 1


def test_while_a_message_is_on_its_way_nothing_is_sent_again(world: World) -> None:
    url = world.ready("reef")
    world.upload(VIDEO)
    job = submit(world, VIDEO)["jobs"][0]
    become(job, JobStatus.RUNNING, updated_at=LONG_AGO, attempts=5)
    client("sqs").receive_message(QueueUrl=url)
    fleet.reconcile()
    assert store.get("reef", job["job_id"]).status is JobStatus.RUNNING


OUT_OF_MEMORY = {"exitCode": 137, "reason": "OutOfMemoryError: Container killed due to memory usage"}


@pytest.mark.parametrize(
    ("containers", "words"),
    [
        ([OUT_OF_MEMORY], "exit code 137, OutOfMemoryError: Container killed due to memory usage"),
        ([{"exitCode": 137}], "exit code 137, it was killed"),
        ([{"exitCode": 0}, {"exitCode": 75}], "exit code 75"),
        ([{"exitCode": 0}], ""),
        ([{}], ""),
        (None, ""),
        ("hostile", ""),
    ],
)
def test_how_a_worker_ended_is_read_from_its_event(containers: Any, words: str) -> None:
    assert deaths.in_words({"containers": containers}) == words


def test_the_diagnosis_quotes_what_ecs_said(world: World) -> None:
    # Given a video whose workers were killed for memory, as ECS told the reconciler
    url = world.ready("reef")
    world.upload(VIDEO)
    job = submit(world, VIDEO)["jobs"][0]
    client("sqs").purge_queue(QueueUrl=url)
    cluster = "arn:aws:ecs:us-west-2:123456789012:cluster/shoal-dev-reef"
    fleet.reconcile({"detail": {"clusterArn": cluster, "containers": [OUT_OF_MEMORY]}})
    fleet.reconcile({"detail": {"clusterArn": cluster, "containers": [{"exitCode": 0}]}})
    become(job, JobStatus.RUNNING, updated_at=LONG_AGO, attempts=5)
    # When
    fleet.reconcile()
    # Then
    reason = store.get("reef", job["job_id"]).reason
    assert "ECS says of the last one: exit code 137, OutOfMemoryError" in reason
    assert "raise memory_mib" in reason
