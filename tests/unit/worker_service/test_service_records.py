"""The job's record: which write may follow which."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from shoal.contracts.job import JobMessage, JobRecord, job_key
from shoal_worker.service.errors import AlreadyFailed, AlreadySucceeded, Busy, Cancelled, Transient
from shoal_worker.service.records import Finished, JobRecords, Lease

MESSAGE = JobMessage(video="videos/reef/a.mp4", job_name="dive 1", user_name="ann")
DONE = Finished("tracks/reef/a.tracks.tar.gz", 32, 5, 1.23456, 32 / 30)


@pytest.fixture
def records(clients: dict[str, Any]) -> JobRecords:
    """Ten minutes pass between two looks at the clock: an attempt that is not heard of is given up."""
    ticks = itertools.count(1_800_000_000, 600)
    return JobRecords(
        clients["dynamodb"], "jobs", "reef", lambda: "2026-01-01T00:00:00+00:00", lambda: next(ticks)
    )


def stored(clients: dict[str, Any], job_id: str) -> JobRecord:
    key = {name: {"S": text} for name, text in job_key("reef", job_id).items()}
    item = clients["dynamodb"].get_item(TableName="jobs", Key=key)["Item"]
    return JobRecord.model_validate({name: next(iter(value.values())) for name, value in item.items()})


def test_a_message_without_a_record_gets_one(records: JobRecords, clients: dict[str, Any]) -> None:
    # When
    attempt = records.start("j1", MESSAGE).attempt
    # Then
    record = stored(clients, "j1")
    assert (attempt, record.attempts, record.status) == (1, 1, "RUNNING")
    assert (record.video, record.job_name, record.deployment) == ("videos/reef/a.mp4", "dive 1", "reef")
    assert record.created_at == "2026-01-01T00:00:00+00:00"


def test_an_existing_record_keeps_what_the_intake_wrote(records: JobRecords, clients: dict[str, Any]) -> None:
    # Given
    given = {
        "status": "QUEUED",
        "video": "videos/reef/a.mp4",
        "created_at": "2025-12-31T00:00:00Z",
        "job_id": "j1",
    }
    item = {name: {"S": text} for name, text in (given | job_key("reef", "j1")).items()} | {
        "attempts": {"N": "0"}
    }
    clients["dynamodb"].put_item(TableName="jobs", Item=item)
    # When
    records.start("j1", MESSAGE)
    # Then
    record = stored(clients, "j1")
    assert (record.created_at, record.attempts, record.status) == ("2025-12-31T00:00:00Z", 1, "RUNNING")


def test_a_success_holds_its_result(records: JobRecords, clients: dict[str, Any]) -> None:
    assert records.succeed(records.start("j1", MESSAGE), DONE)
    record = stored(clients, "j1")
    assert (record.status, record.result, record.frames, record.tracks) == ("SUCCEEDED", DONE.result, 32, 5)
    assert record.seconds == pytest.approx(1.235)


def test_a_finished_video_is_not_started_again(records: JobRecords) -> None:
    records.succeed(records.start("j1", MESSAGE), DONE)
    with pytest.raises(AlreadySucceeded):
        records.start("j1", MESSAGE)


def test_a_failed_video_that_was_redriven_starts_clean(records: JobRecords, clients: dict[str, Any]) -> None:
    first = records.start("j1", MESSAGE)
    records.fail(first, "no such object")
    assert records.start("j1", MESSAGE).attempt == 2
    assert (stored(clients, "j1").status, stored(clients, "j1").reason) == ("RUNNING", "")


def test_what_failed_for_good_is_begun_again_by_a_redrive_alone(
    records: JobRecords, clients: dict[str, Any]
) -> None:
    # Given
    records.fail(records.start("j1", MESSAGE), "no video", for_good=True)
    with pytest.raises(AlreadyFailed):
        records.start("j1", MESSAGE)
    # When shoal.jobs.changes redrives it
    clients["dynamodb"].update_item(
        TableName="jobs", Key={name: {"S": text} for name, text in job_key("reef", "j1").items()},
        UpdateExpression="SET ended = :empty", ExpressionAttributeValues={":empty": {"S": ""}},
    )  # fmt: skip
    # Then
    assert records.start("j1", MESSAGE).attempt == 2


@pytest.mark.parametrize("end", ["fail", "requeue", "succeed"])
def test_an_older_attempt_cannot_end_a_newer_one(
    end: str, records: JobRecords, clients: dict[str, Any]
) -> None:
    # Given
    old = records.start("j1", MESSAGE)
    records.start("j1", MESSAGE)
    # When
    written = getattr(records, end)(old, DONE if end == "succeed" else "late")
    # Then
    assert written is False
    assert stored(clients, "j1").status == "RUNNING"


@pytest.mark.parametrize("end", ["fail", "requeue"])
def test_nothing_undoes_a_success(end: str, records: JobRecords, clients: dict[str, Any]) -> None:
    lease = records.start("j1", MESSAGE)
    records.succeed(lease, DONE)
    assert getattr(records, end)(lease, "late") is False
    assert records.succeed(lease, DONE) is False
    assert stored(clients, "j1").status == "SUCCEEDED"


def test_ends_make_no_record_where_there_is_none(records: JobRecords) -> None:
    ghost = Lease("ghost", 1)
    assert records.fail(ghost, "why") is False
    assert records.succeed(ghost, DONE) is False
    assert records.refuse("ghost", "why") is False
    assert records.holds(ghost) is False


def test_a_reason_is_cut_to_what_a_person_reads(records: JobRecords, clients: dict[str, Any]) -> None:
    records.fail(records.start("j1", MESSAGE), "x" * 5000)
    assert len(stored(clients, "j1").reason) == 1000


def sums(clients: dict[str, Any], sort_key: str) -> dict[str, float]:
    key = {"pk": {"S": "DEPLOYMENT#reef"}, "sk": {"S": sort_key}}
    item = clients["dynamodb"].get_item(TableName="jobs", Key=key).get("Item", {})
    return {name: float(value["N"]) for name, value in item.items() if "N" in value}


def in_dive(clients: dict[str, Any], job_id: str, **more: str) -> None:
    """A job as the intake writes it."""
    texts = job_key("reef", job_id) | {"status": "QUEUED", "dive": "dive 1"} | more
    clients["dynamodb"].put_item(TableName="jobs", Item={name: {"S": text} for name, text in texts.items()})


def test_what_has_ended_is_counted_once(records: JobRecords, clients: dict[str, Any]) -> None:
    # Given three jobs of a dive
    for job_id in ("j1", "j2", "j3"):
        in_dive(clients, job_id)
    # When one succeeds, one fails twice, one fails and then succeeds; each ending comes twice
    for job_id, ends in (("j1", ["succeed"]), ("j2", ["fail", "fail"]), ("j3", ["fail", "succeed"])):
        for end in ends:
            lease = records.start(job_id, MESSAGE)
            for _ in range(2):
                getattr(records, end)(lease, DONE if end == "succeed" else "why")
    # Then
    expected = {"succeeded": 2, "failed": 1, "footage_seconds": 2.134, "work_seconds": 2.47}
    assert sums(clients, "DIVE#dive 1") == pytest.approx(expected)
    assert sums(clients, "TALLY") == pytest.approx(expected)


def test_an_attempt_that_only_goes_back_is_not_counted(records: JobRecords, clients: dict[str, Any]) -> None:
    in_dive(clients, "j1")
    assert records.requeue(records.start("j1", MESSAGE), "stopped")
    assert (sums(clients, "DIVE#dive 1"), sums(clients, "TALLY")) == ({}, {})


@pytest.mark.parametrize(
    ("heard_after", "asked_after", "taken"),
    [(None, 240, False), (None, 260, True), (200, 400, False), (200, 460, True)],
)
def test_an_attempt_that_was_heard_of_lately_keeps_its_job(
    heard_after: int | None, asked_after: int, taken: bool, clients: dict[str, Any]
) -> None:
    # Given
    clock = [1_800_000_000.0]
    records = JobRecords(clients["dynamodb"], "jobs", "reef", clock=lambda: clock[0])
    first = records.start("j1", MESSAGE, "m1")
    if heard_after:
        clock[0] += heard_after
        assert records.holds(first)
    # When
    clock[0] = 1_800_000_000.0 + asked_after
    # Then
    if taken:
        assert records.start("j1", MESSAGE, "m1").attempt == 2
        assert not records.holds(first)
    else:
        with pytest.raises(Busy) as busy:
            records.start("j1", MESSAGE, "m2")
        assert busy.value.message_id == "m1"
        assert records.succeed(first, DONE)


def test_a_cancelled_video_is_not_started(records: JobRecords, clients: dict[str, Any]) -> None:
    in_dive(clients, "j1", status="CANCELLED")
    with pytest.raises(Cancelled):
        records.start("j1", MESSAGE)


@pytest.mark.parametrize("change", ["newer attempt", "cancelled", "given back", "nothing"])
def test_an_attempt_knows_whether_it_owns_its_job(
    change: str, records: JobRecords, clients: dict[str, Any]
) -> None:
    # Given
    lease = records.start("j1", MESSAGE)
    # When
    if change == "newer attempt":
        records.start("j1", MESSAGE)
    if change == "cancelled":
        in_dive(clients, "j1", status="CANCELLED")
    if change == "given back":
        records.requeue(lease, "stopped")
    # Then
    assert records.holds(lease) is (change == "nothing")


@pytest.mark.parametrize(("conflicts", "expected"), [(4, True), (5, None)])
def test_a_meeting_on_the_sums_is_tried_again(
    conflicts: int, expected: bool | None, records: JobRecords, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given
    lease = records.start("j1", MESSAGE)
    answers = [["None", "TransactionConflict"]] * conflicts + [[]]
    monkeypatch.setattr(records, "_transact", lambda job_id, items: answers.pop(0))
    # Then
    if expected is None:
        with pytest.raises(Transient, match="others write"):
            records.succeed(lease, DONE)
    else:
        assert records.succeed(lease, DONE) is expected


class Broken:
    def __init__(self, fault: Exception) -> None:
        self._fault = fault

    def update_item(self, **_: object) -> None:
        raise self._fault


@pytest.mark.parametrize(
    "fault",
    [
        ClientError({"Error": {"Code": "ThrottlingException"}}, "UpdateItem"),
        EndpointConnectionError(endpoint_url="http://dynamodb"),
    ],
)
def test_a_fault_of_dynamodb_is_transient(fault: Exception) -> None:
    with pytest.raises(Transient, match="job j1"):
        JobRecords(Broken(fault), "jobs", "reef").start("j1", MESSAGE)
