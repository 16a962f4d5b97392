"""The job's record in DynamoDB, written with conditions: no duplicate and no late writer can spoil it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from shoal.contracts.job import JobMessage, job_key
from shoal.contracts.status import JobStatus

from shoal_worker.service.errors import AlreadySucceeded, Transient
from shoal_worker.service.storage import aws_code

REASON_LENGTH = 1000


@dataclass(frozen=True)
class Finished:
    """What a finished video leaves in its record."""

    result: str
    frames: int
    tracks: int
    seconds: float


def utc_now() -> str:
    """ISO 8601, UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


class JobRecords:
    """The job items of one deployment. Thread-safe: it holds a client and constants only."""

    def __init__(self, client: Any, table: str, deployment: str, now: Callable[[], str] = utc_now) -> None:
        self._client = client
        self._table = table
        self._deployment = deployment
        self._now = now

    def start(self, job_id: str, message: JobMessage) -> int:
        """RUNNING and one attempt more; makes the record where there is none. The attempt's number.

        Raises:
            AlreadySucceeded: the video's result exists.
            Transient: DynamoDB did not answer.
        """
        texts = {
            "job_id": job_id, "deployment": self._deployment, "video": message.video,
            "job_name": message.job_name, "user_name": message.user_name, "created_at": self._now(),
        }  # fmt: skip
        keep = ", ".join(f"#{name} = if_not_exists(#{name}, :{name})" for name in texts)
        update = f"SET #status = :running, #reason = :empty, #updated_at = :now, {keep}"
        update += " ADD #attempts :one REMOVE #result"
        values = {f":{name}": {"S": text} for name, text in texts.items()}
        values |= {":running": {"S": JobStatus.RUNNING}, ":empty": {"S": ""}, ":now": {"S": self._now()}}
        values |= {":one": {"N": "1"}, ":succeeded": {"S": JobStatus.SUCCEEDED}}
        names = [*texts, "status", "reason", "updated_at", "attempts", "result"]
        condition = "attribute_not_exists(pk) OR #status <> :succeeded"
        answer = self._update(job_id, update, condition, names, values, ReturnValues="ALL_NEW")
        if answer is None:
            raise AlreadySucceeded(f"job {job_id} has its result")
        return int(answer["Attributes"]["attempts"]["N"])

    def succeed(self, job_id: str, finished: Finished) -> bool:
        """SUCCEEDED with its result; False where it is so already, or the record is gone."""
        return self._set(
            job_id,
            {
                "status": {"S": JobStatus.SUCCEEDED},
                "reason": {"S": ""},
                "result": {"S": finished.result},
                "frames": {"N": str(finished.frames)},
                "tracks": {"N": str(finished.tracks)},
                "seconds": {"N": str(Decimal(str(round(finished.seconds, 3))))},
            },
        )

    def fail(self, job_id: str, reason: str, attempt: int | None = None) -> bool:
        """FAILED with its reason; False where the video succeeded, a newer attempt runs, or no record is."""
        return self._set(job_id, _ended(JobStatus.FAILED, reason), attempt)

    def requeue(self, job_id: str, reason: str, attempt: int) -> bool:
        """QUEUED again, with the reason the last attempt ended; False where a newer attempt runs."""
        return self._set(job_id, _ended(JobStatus.QUEUED, reason), attempt)

    def _set(self, job_id: str, fields: dict[str, dict[str, str]], attempt: int | None = None) -> bool:
        fields = fields | {"updated_at": {"S": self._now()}}
        values = {f":{name}": value for name, value in fields.items()}
        values[":succeeded"] = {"S": JobStatus.SUCCEEDED}
        condition, names = "attribute_exists(pk) AND #status <> :succeeded", list(fields)
        if attempt is not None:
            condition += " AND #attempts = :attempt"
            values[":attempt"] = {"N": str(attempt)}
            names.append("attempts")
        update = "SET " + ", ".join(f"#{name} = :{name}" for name in fields)
        return self._update(job_id, update, condition, names, values) is not None

    def _update(
        self, job_id: str, update: str, condition: str, names: list[str], values: dict[str, Any], **more: str
    ) -> dict[str, Any] | None:
        """The answer; None where the condition does not hold."""
        key = {name: {"S": text} for name, text in job_key(self._deployment, job_id).items()}
        try:
            answer: dict[str, Any] = self._client.update_item(
                TableName=self._table,
                Key=key,
                UpdateExpression=update,
                ConditionExpression=condition,
                ExpressionAttributeNames={f"#{name}": name for name in names},
                ExpressionAttributeValues=values,
                **more,
            )
        except ClientError as error:
            if aws_code(error) == "ConditionalCheckFailedException":
                return None
            raise Transient(f"writing the record of job {job_id}: {aws_code(error)}") from error
        except BotoCoreError as error:
            raise Transient(f"writing the record of job {job_id}: {error}") from error
        return answer


def _ended(status: JobStatus, reason: str) -> dict[str, dict[str, str]]:
    return {"status": {"S": status}, "reason": {"S": reason[:REASON_LENGTH]}}
