"""A dive as one piece of work: how it stands, cancelled, tried again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from rest_world import World
from shoal import fleet, table
from shoal.aws import client
from shoal.contracts.job import JobRecord, dive_key, job_key, tally_key
from shoal.contracts.status import JobStatus
from shoal.jobs.writing import change, sums
from shoal.notify import Mail


@pytest.fixture
def url(world: World) -> str:
    """Two dives, of three videos and of one."""
    made = world.ready("reef")
    for name, count in (("D1", 3), ("D2", 1)):
        keys = [f"videos/reef/{name}/{number}.mp4" for number in range(count)]
        world.upload(*keys)
        answer = world.call("POST", "/deploy/reef/jobs", {"videos": keys, "job_name": name})
        assert answer.body["new"] == count
    return made


def jobs_of(world: World, dive: str = "") -> list[dict[str, Any]]:
    listed = world.call("GET", "/deploy/reef/jobs").body["jobs"]
    return [one for one in listed if dive in ("", one["job_name"])]


def end(world: World, number: int, status: JobStatus, **fields: Any) -> None:
    """As the worker ends the ``number``-th job of the first dive."""
    job = dives_record(jobs_of(world, "D1")[number])
    name = "succeeded" if status is JobStatus.SUCCEEDED else "failed"
    counted = {"counted": "failed"} if name == "failed" else {}
    assert change(job, {"status": status} | counted | fields, *sums(job, **{name: 1}))


def dives_record(found: dict[str, Any]) -> Any:
    return JobRecord.model_validate(table.read(job_key("reef", found["job_id"])))


def dive(world: World, name: str = "D1") -> dict[str, Any]:
    return next(d for d in world.call("GET", "/deploy/reef/dives").body["dives"] if d["job_name"] == name)


def test_a_dive_says_how_it_stands(world: World, url: str) -> None:
    # Given one video of three done
    end(world, 0, JobStatus.SUCCEEDED)
    values = {":footage": 7200, ":work": 3600}
    update = "ADD footage_seconds :footage, work_seconds :work"
    key = dive_key("reef", "D1")
    table.write({"Update": {"Key": key, "UpdateExpression": update, "ExpressionAttributeValues": values}})
    # When
    found = dive(world)
    # Then
    assert (found["submitted"], found["succeeded"], found["failed"], found["waiting"]) == (3, 1, 0, 2)
    assert (found["footage_hours"], found["work_hours"], found["usd"]) == (2, 1, 1.01)
    assert found["eta_hours"] >= 0
    assert found["finished_at"] is None
    assert dive(world, "D2")["eta_hours"] is None


def test_dives_come_in_pages(world: World, url: str) -> None:
    first = world.call("GET", "/deploy/reef/dives", query={"limit": "1"}).body
    rest = world.call("GET", "/deploy/reef/dives", query={"next_token": first["next_token"]}).body
    assert [one["job_name"] for one in first["dives"] + rest["dives"]] == ["D1", "D2"]
    assert rest["next_token"] is None


def told(monkeypatch: pytest.MonkeyPatch) -> list[Mail]:
    """What is mailed from now on."""
    mails: list[Mail] = []
    monkeypatch.setattr("shoal.notify.once.deliver", lambda deployment, composed: mails.append(composed()))
    return mails


def outcomes(mails: list[Mail]) -> list[str]:
    return [mail.subject.partition("] ")[2] for mail in mails]


def test_a_dive_that_is_over_is_told_of_once(world: World, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given
    mails = told(monkeypatch)
    for number, status in enumerate((JobStatus.SUCCEEDED, JobStatus.SUCCEEDED, JobStatus.FAILED)):
        fleet.reconcile()
        assert mails == []
        end(world, number, status, reason="" if status is JobStatus.SUCCEEDED else "moov atom not found")
    # When
    fleet.reconcile()
    fleet.reconcile()
    # Then
    (mail,) = mails
    assert mail.subject == "[shoal dev] D1: 2 of 3 videos tracked"
    assert "videos/reef/D1/2.mp4: moov atom not found" in mail.text
    assert "s3://shoal-data/tracks/" in mail.text
    assert "shoal redrive reef --job D1" in mail.text


def test_a_dive_of_which_everything_failed_is_told_of_too(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given videos that are not there
    mails = told(monkeypatch)
    world.ready("reef")
    body = {"videos": ["videos/reef/a.mp4", "videos/reef/b.mp4"], "job_name": "lost"}
    assert world.call("POST", "/deploy/reef/jobs", body).status == 202
    # When
    fleet.reconcile()
    # Then
    (mail,) = mails
    assert mail.subject == "[shoal dev] lost: 0 of 2 videos tracked"
    assert mail.text.count("does not exist: upload it, then submit it") == 2
    assert "results" not in mail.text


def test_its_next_end_is_told_after_a_redrive(
    world: World, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a dive whose only video failed
    mails = told(monkeypatch)
    only = dives_record(jobs_of(world, "D2")[0])
    assert change(only, {"status": JobStatus.FAILED, "counted": "failed"}, *sums(only, failed=1))
    fleet.reconcile()
    # When
    world.call("POST", "/deploy/reef/redrive", {"job_name": "D2"})
    fleet.reconcile()
    assert len(mails) == 1
    again = dives_record(jobs_of(world, "D2")[0])
    assert change(again, {"status": JobStatus.SUCCEEDED}, *sums(again, succeeded=1))
    fleet.reconcile()
    # Then
    assert outcomes(mails) == ["D2: 0 of 1 videos tracked", "D2: 1 of 1 videos tracked"]


def test_videos_that_come_while_its_end_is_told_are_told_of_too(
    world: World, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given an end, and a further video under the same name while the mail is sent
    mails: list[Mail] = []
    only = dives_record(jobs_of(world, "D2")[0])
    assert change(only, {"status": JobStatus.SUCCEEDED}, *sums(only, succeeded=1))

    def deliver(deployment: Any, composed: Callable[[], Mail]) -> None:
        mails.append(composed())
        if len(mails) == 1:
            world.upload("videos/reef/D2/late.mp4")
            body = {"videos": ["videos/reef/D2/late.mp4"], "job_name": "D2"}
            world.call("POST", "/deploy/reef/jobs", body)

    monkeypatch.setattr("shoal.notify.once.deliver", deliver)
    fleet.reconcile()
    # When it has ended
    late = next(job for job in jobs_of(world, "D2") if job["video"].endswith("late.mp4"))
    record = dives_record(late)
    assert change(record, {"status": JobStatus.SUCCEEDED}, *sums(record, succeeded=1))
    fleet.reconcile()
    fleet.reconcile()
    # Then
    assert outcomes(mails) == ["D2: 1 of 1 videos tracked", "D2: 2 of 2 videos tracked"]


@pytest.mark.parametrize(
    ("selection", "cancelled", "of_dive"),
    [
        ({"job_name": "D1"}, 3, 3),
        ({"job_name": "D2"}, 1, 0),
        ({"all": True}, 4, 3),
        ({"job_name": "none"}, 0, 0),
    ],
)
def test_cancelled_jobs_are_counted_and_not_sent(
    world: World, url: str, selection: dict[str, str], cancelled: int, of_dive: int
) -> None:
    # When
    answer = world.call("POST", "/deploy/reef/cancel", selection)
    # Then
    assert (answer.status, answer.body) == (200, {"changed": cancelled, "more": False})
    assert [one["status"] for one in jobs_of(world)].count("CANCELLED") == cancelled
    assert dive(world)["cancelled"] == of_dive
    # And a second time nothing changes
    assert world.call("POST", "/deploy/reef/cancel", selection).body["changed"] == 0


def test_one_job_is_cancelled_while_it_waits_for_room(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given
    monkeypatch.setattr("shoal.jobs.feed.ROOM", 1)
    url = world.ready("reef")
    world.upload("videos/reef/a.mp4", "videos/reef/b.mp4")
    body = {"videos": ["videos/reef/a.mp4", "videos/reef/b.mp4"]}
    second = world.call("POST", "/deploy/reef/jobs", body).body["jobs"][1]["job_id"]
    # When
    assert world.call("POST", "/deploy/reef/cancel", {"job_id": second}).body["changed"] == 1
    client("sqs").purge_queue(QueueUrl=url)
    fleet.reconcile()
    # Then
    assert table.query(table.deployment_key("reef"), "FEED#") == []
    assert "Messages" not in client("sqs").receive_message(QueueUrl=url)


def test_what_has_ended_is_not_cancelled(world: World, url: str) -> None:
    end(world, 0, JobStatus.SUCCEEDED)
    end(world, 1, JobStatus.FAILED)
    assert world.call("POST", "/deploy/reef/cancel", {"job_name": "D1"}).body["changed"] == 1


def test_what_failed_is_tried_again(world: World, url: str) -> None:
    # Given
    client("sqs").purge_queue(QueueUrl=url)
    end(world, 0, JobStatus.FAILED, reason="given up")
    key = job_key("reef", jobs_of(world, "D1")[0]["job_id"])
    table.write({"Put": {"Item": (table.read(key) or {}) | {"attempts": 5, "ended": "for good"}}})
    end(world, 1, JobStatus.SUCCEEDED)
    # When
    answer = world.call("POST", "/deploy/reef/redrive", {"job_name": "D1"})
    fleet.reconcile()
    # Then
    assert answer.body == {"changed": 1, "more": False}
    first = table.read(key) or {}
    assert [first[name] for name in ("status", "reason", "ended", "released")] == ["QUEUED", "", "", 5]
    (message,) = client("sqs").receive_message(QueueUrl=url)["Messages"]
    assert "videos/reef/D1/0.mp4" in message["Body"]
    assert (dive(world)["failed"], (table.read(tally_key("reef")) or {})["failed"]) == (0, 0)


@pytest.mark.parametrize("route", ["cancel", "redrive"])
def test_an_unknown_job_or_field_is_refused(world: World, url: str, route: str) -> None:
    path = f"/deploy/reef/{route}"
    assert world.call("POST", path, {"job_id": "none"}).status == 404
    for wrong in ({}, {"video": "a"}, {"all": True, "job_name": "D1"}, {"all": False}):
        assert world.call("POST", path, wrong).status == 422
    assert world.call("POST", f"/deploy/none/{route}", {"all": True}).status == 404
