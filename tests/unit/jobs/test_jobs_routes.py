"""Submitting and reading jobs through the real handler, with a real queue and service on moto."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from rest_world import World, desired, move
from shoal import fleet
from shoal.aws import client
from shoal.contracts.job import JobMessage, JobRecord, job_key
from shoal.contracts.status import DeploymentStatus, JobStatus
from shoal.table import deployment_key, query, read

VIDEO = "videos/reef/dive1.mp4"


def received(url: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while True:
        batch = client("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
        if not batch:
            return found
        found += [json.loads(one["Body"]) for one in batch]


def test_a_video_is_recorded_queued_and_wakes_the_fleet(world: World) -> None:
    # Given
    url = world.ready("reef")
    world.upload(VIDEO)
    body = {
        "videos": ["s3://shoal-data/" + VIDEO],
        "job_name": "dive 1",
        "args": "--conf-thres=0.1",
        "clean": True,
        "user_name": "scientist",
        "metadata": {"rov": "Ventana"},
    }
    # When
    answer = world.call("POST", "/deploy/reef/jobs", body)
    # Then
    assert answer.status == 202, answer.body
    (job,) = answer.body["jobs"]
    assert answer.headers["Location"] == f"/prod/deploy/reef/jobs/{job['job_id']}"
    assert (answer.body["desired_workers"], desired("reef")) == (1, 1)
    (message,) = received(url)
    metadata = json.loads(base64.b64decode(message.pop("metadata_b64")))
    assert (metadata["rov"], len(metadata["message_uuid"])) == ("Ventana", 36)
    assert message == {
        "video": VIDEO,
        "clean": "True",  # deepsea's spelling
        "user_name": "scientist",
        "job_name": "dive 1",
        "args": "--conf-thres=0.1",
        "job_id": job["job_id"],
        "deployment": "reef",
    }
    record = JobRecord.model_validate(read(job_key("reef", job["job_id"])))
    assert (record.status, record.video, record.job_name) == (JobStatus.QUEUED, VIDEO, "dive 1")
    assert world.call("GET", f"/deploy/reef/jobs/{job['job_id']}").body == job


def test_without_arguments_the_message_has_the_seeds_keys_only(world: World) -> None:
    # Given
    url = world.ready("reef")
    world.upload(VIDEO)
    # When, in the hand-made minimal form
    body = {"video": VIDEO, "clean": "False", "job_name": "dive 1", "user_name": "me"}
    assert world.call("POST", "/deploy/Reef/jobs", body).status == 202
    # Then
    (message,) = received(url)
    assert set(message) - {"job_id", "deployment"} == {
        "video",
        "clean",
        "user_name",
        "metadata_b64",
        "job_name",
    }
    assert message["clean"] == "False"


@pytest.mark.parametrize(("videos", "workers"), [(2, 2), (60, 3)])
def test_a_dive_wakes_as_many_workers_as_the_fleet_has(world: World, videos: int, workers: int) -> None:
    # Given
    url = world.ready("reef", fleet_size=3)
    keys = [f"videos/reef/{number}.mp4" for number in range(videos)]
    world.upload(*keys)
    # When
    answer = world.call("POST", "/deploy/reef/jobs", {"videos": keys})
    # Then
    assert (answer.status, answer.headers["Location"]) == (202, "/prod/deploy/reef/jobs")
    assert desired("reef") == workers
    assert sorted(one["video"] for one in received(url)) == sorted(keys)
    # And the list has them in order, in pages
    seen, query = [], {"limit": "25"}
    while True:
        page = world.call("GET", "/deploy/reef/jobs", query=query).body
        seen += [one["video"] for one in page["jobs"]]
        if not page["next_token"]:
            break
        query["next_token"] = page["next_token"]
    assert seen == keys


@pytest.mark.parametrize(
    ("videos", "field", "says"),
    [
        ([], "", "videos or manifest"),
        (["a"] * 1001, "videos", "at most 1000"),
        (None, "", "videos or manifest"),
        ([5], "videos.0", "string"),
        ([VIDEO, "dive2.mp4"], "videos.1", "videos/"),
        (["s3://elsewhere/videos/reef/a.mp4"], "videos.0", "bucket shoal-data"),
        (["videos/reef/../a.mp4"], "videos.0", "dot parts"),
        (["videos//a.mp4"], "videos.0", "empty"),
        (["/videos/a.mp4"], "videos.0", "videos/"),
        (["videos/reef/notes.txt"], "videos.0", "no video"),
        (["videos/reef/a.mp4\u202e"], "videos.0", "control"),
        (["videos/reef/cafe\u0301.mp4"], "videos.0", "composed"),
        (["videos/" + "\u00e9" * 600 + ".mp4"], "videos.0", "1024 bytes"),
        ([VIDEO, VIDEO], "videos.1", "same as videos.0"),
        ([VIDEO, "s3://shoal-data/" + VIDEO], "videos.1", "same as videos.0"),
    ],
)
def test_a_wrong_video_is_named_and_nothing_is_sent(world: World, videos: Any, field: str, says: str) -> None:
    # Given
    url = world.ready("reef")
    # When
    answer = world.call("POST", "/deploy/reef/jobs", {"videos": videos} if videos is not None else {})
    # Then
    assert (answer.status, answer.body["errors"][0]["field"]) == (422, field), answer.body
    assert says in answer.body["errors"][0]["detail"]
    assert (received(url), desired("reef")) == ([], 0)
    assert world.call("GET", "/deploy/reef/jobs").body["jobs"] == []


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"clean": "yes"}, "clean"),
        ({"args": "a" * 2001}, "args"),
        ({"metadata": "text"}, "metadata"),
        ({"metadata": {"a": "b" * 70_000}}, "metadata"),
        ({"videoz": []}, "videoz"),
    ],
)
def test_a_wrong_field_is_named(world: World, change: dict[str, Any], field: str) -> None:
    world.ready("reef")
    answer = world.call("POST", "/deploy/reef/jobs", {"videos": [VIDEO]} | change)
    assert (answer.status, answer.body["errors"][0]["field"]) == (422, field)


@pytest.mark.parametrize(
    ("serves", "statuses", "status"),
    [
        (("queue",), (), 202),
        (("endpoint",), (), 409),
        (("queue",), (DeploymentStatus.DELETING,), 409),
        (("queue",), (DeploymentStatus.DELETING, DeploymentStatus.DELETED), 404),
    ],
)
def test_only_a_ready_queue_takes_videos(
    world: World, serves: tuple[str, ...], statuses: tuple[DeploymentStatus, ...], status: int
) -> None:
    # Given
    world.ready("reef", serves=serves)
    move("reef", 1, *statuses)
    # Then
    assert world.call("POST", "/deploy/reef/jobs", {"videos": [VIDEO]}).status == status


def test_an_unknown_deployment_or_job(world: World) -> None:
    world.ready("reef")
    for path in ("/deploy/none/jobs", "/deploy/none/jobs/1", "/deploy/reef/jobs/none"):
        assert world.call("GET", path).status == 404
    assert world.call("POST", "/deploy/none/jobs", {"videos": [VIDEO]}).status == 404


def test_the_fleet_is_never_lowered_by_a_submission(world: World) -> None:
    # Given three workers, of which two are busy
    url = world.ready("reef", fleet_size=3)
    world.upload(VIDEO, *[f"videos/reef/{n}.mp4" for n in range(3)])
    world.call("POST", "/deploy/reef/jobs", {"videos": [f"videos/reef/{n}.mp4" for n in range(3)]})
    client("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=300)
    # When
    answer = world.call("POST", "/deploy/reef/jobs", {"videos": [VIDEO]})
    # Then
    assert (answer.body["desired_workers"], desired("reef")) == (3, 3)


class Sqs:
    """A queue that refuses some messages for its own reasons, the first ``times`` times."""

    def __init__(self, refuses: str, times: int) -> None:
        self.refuses, self.times, self.taken = refuses, times, []

    def send_message_batch(self, QueueUrl: str, Entries: list[dict[str, str]]) -> dict[str, Any]:
        failed = [one for one in Entries if self.refuses in one["MessageBody"] and self.times > 0]
        self.times -= 1
        self.taken += [one["Id"] for one in Entries if one not in failed]
        return {"Failed": [{"Id": one["Id"], "Code": "InternalError"} for one in failed]}

    def get_queue_attributes(self, **_: Any) -> dict[str, Any]:
        return {
            "Attributes": {
                "ApproximateNumberOfMessages": "0",
                "ApproximateNumberOfMessagesNotVisible": "0",
            }
        }


@pytest.mark.parametrize(
    ("refuses", "times", "waiting", "workers"),
    [
        ("b.mp4", 2, 0, 2),  # the third attempt succeeds
        ("b.mp4", 9, 1, 1),
        ("mp4", 9, 2, 0),
    ],
)
def test_a_video_that_could_not_be_queued_is_sent_by_the_next_pass(
    world: World, monkeypatch: pytest.MonkeyPatch, refuses: str, times: int, waiting: int, workers: int
) -> None:
    # Given
    world.ready("reef")
    world.upload("videos/a.mp4", "videos/b.mp4")
    sqs = Sqs(refuses, times)
    for module in ("shoal.jobs.queue", "shoal.jobs.feed", "shoal.fleet.scaling"):
        monkeypatch.setattr(f"{module}.client", lambda service: sqs if service == "sqs" else client(service))
    # When
    answer = world.call("POST", "/deploy/reef/jobs", {"videos": ["videos/a.mp4", "videos/b.mp4"]})
    # Then
    assert (answer.status, answer.body["desired_workers"], desired("reef")) == (202, workers, workers)
    assert len(query(deployment_key("reef"), "FEED#")) == waiting
    # When SQS has recovered
    sqs.times = 0
    fleet.reconcile()
    # Then
    assert len(sqs.taken) == len(set(sqs.taken)) == 2
    assert query(deployment_key("reef"), "FEED#") == []
    jobs = world.call("GET", "/deploy/reef/jobs").body["jobs"]
    assert [one["status"] for one in jobs] == ["QUEUED", "QUEUED"]


def test_videos_stay_queued_when_the_fleet_cannot_be_woken(world: World) -> None:
    # Given a service that AWS does not find
    url = world.ready("reef")
    world.upload(VIDEO)
    service = "shoal-dev-reef"
    client("ecs").delete_service(cluster=service, service=service, force=True)
    client("ecs").delete_cluster(cluster=service)
    # When
    answer = world.call("POST", "/deploy/reef/jobs", {"videos": [VIDEO]})
    # Then the sender is not told to send again
    assert (answer.status, answer.body["desired_workers"]) == (202, None), answer.body
    assert len(received(url)) == 1


def test_the_worker_reads_back_what_was_sent(world: World) -> None:
    # Given
    url = world.ready("reef")
    world.upload(VIDEO)
    world.call("POST", "/deploy/reef/jobs", {"videos": [VIDEO], "clean": True, "metadata": {"a": 1}})
    # When
    body = client("sqs").receive_message(QueueUrl=url)["Messages"][0]["Body"]
    # Then
    message = JobMessage.model_validate_json(body)
    assert (message.clean, message.metadata()["a"]) == (True, 1)
