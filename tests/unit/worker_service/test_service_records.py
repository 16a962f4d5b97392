"""The job's record: which write may follow which."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from shoal.contracts.job import JobMessage, JobRecord, job_key
from shoal_worker.service.errors import AlreadySucceeded, Transient
from shoal_worker.service.records import Finished, JobRecords

MESSAGE = JobMessage(video="videos/reef/a.mp4", job_name="dive 1", user_name="ann")
DONE = Finished("tracks/reef/a.tracks.tar.gz", 32, 5, 1.23456)


@pytest.fixture
def records(clients: dict[str, Any]) -> JobRecords:
    return JobRecords(clients["dynamodb"], "jobs", "reef", now=lambda: "2026-01-01T00:00:00+00:00")


def stored(clients: dict[str, Any], job_id: str) -> JobRecord:
    key = {name: {"S": text} for name, text in job_key("reef", job_id).items()}
    item = clients["dynamodb"].get_item(TableName="jobs", Key=key)["Item"]
    return JobRecord.model_validate({name: next(iter(value.values())) for name, value in item.items()})


def test_a_message_without_a_record_gets_one(records: JobRecords, clients: dict[str, Any]) -> None:
    # When
    attempt = records.start("j1", MESSAGE)
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
    records.start("j1", MESSAGE)
    assert records.succeed("j1", DONE)
    record = stored(clients, "j1")
    assert (record.status, record.result, record.frames, record.tracks) == ("SUCCEEDED", DONE.result, 32, 5)
    assert record.seconds == pytest.approx(1.235)


def test_a_finished_video_is_not_started_again(records: JobRecords) -> None:
    records.start("j1", MESSAGE)
    records.succeed("j1", DONE)
    with pytest.raises(AlreadySucceeded):
        records.start("j1", MESSAGE)


def test_a_failed_video_that_was_redriven_starts_clean(records: JobRecords, clients: dict[str, Any]) -> None:
    first = records.start("j1", MESSAGE)
    records.fail("j1", "no such object", first)
    assert records.start("j1", MESSAGE) == 2
    assert (stored(clients, "j1").status, stored(clients, "j1").reason) == ("RUNNING", "")


@pytest.mark.parametrize("end", ["fail", "requeue"])
def test_an_older_attempt_cannot_end_a_newer_one(
    end: str, records: JobRecords, clients: dict[str, Any]
) -> None:
    # Given
    old = records.start("j1", MESSAGE)
    records.start("j1", MESSAGE)
    # When
    written = getattr(records, end)("j1", "late", old)
    # Then
    assert written is False
    assert stored(clients, "j1").status == "RUNNING"


@pytest.mark.parametrize("end", ["fail", "requeue"])
def test_nothing_undoes_a_success(end: str, records: JobRecords, clients: dict[str, Any]) -> None:
    attempt = records.start("j1", MESSAGE)
    records.succeed("j1", DONE)
    assert getattr(records, end)("j1", "late", attempt) is False
    assert records.succeed("j1", DONE) is False
    assert stored(clients, "j1").status == "SUCCEEDED"


def test_ends_make_no_record_where_there_is_none(records: JobRecords) -> None:
    assert records.fail("ghost", "why") is False
    assert records.succeed("ghost", DONE) is False


def test_a_reason_is_cut_to_what_a_person_reads(records: JobRecords, clients: dict[str, Any]) -> None:
    records.start("j1", MESSAGE)
    records.fail("j1", "x" * 5000, 1)
    assert len(stored(clients, "j1").reason) == 1000


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
