"""The job's record in DynamoDB: one attempt at a time owns it, and no late writer can spoil it.

An attempt's number is its fencing token (Kleppmann, "How to do distributed locking"): a newer attempt, or a
cancellation, makes every write of an older one fail its condition.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from shoal.contracts.job import JobMessage, job_key
from shoal.contracts.status import JobStatus

from shoal_worker.service.endings import FOR_GOOD, Finished, Lease, Sums, Value, failing, succeeding
from shoal_worker.service.errors import (
    AlreadyFailed,
    AlreadySucceeded,
    Busy,
    Cancelled,
    ServiceError,
    Transient,
)
from shoal_worker.service.storage import aws_code

__all__ = ["Finished", "JobRecords", "Lease"]

REASON_LENGTH = 1000
LEASE_SECONDS = 250
"""How long an attempt owns its job after it was last heard of: two heartbeats, and less than the 300 s after
which its message comes back. A clock that is wrong by minutes costs work, never a result."""
_CONFLICTS = 5
"""Attempts of a transaction that meets another one on the sums of the deployment."""
_OWNED = "#attempts = :attempt AND #status = :running"


class _Refused(Exception):
    """The condition does not hold for ``item``."""

    def __init__(self, item: dict[str, Any]) -> None:
        super().__init__("the condition does not hold")
        self.item = item


def utc_now() -> str:
    """ISO 8601, UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


class JobRecords:
    """The job items of one deployment. Thread-safe: it holds a client and constants only."""

    def __init__(
        self,
        client: Any,
        table: str,
        deployment: str,
        now: Callable[[], str] = utc_now,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._client = client
        self._table = table
        self._deployment = deployment
        self._now = now
        self._clock = clock

    def start(self, job_id: str, message: JobMessage, message_id: str = "") -> Lease:
        """RUNNING and one attempt more; makes the record where there is none.

        Raises:
            AlreadySucceeded: the video's result exists.
            Cancelled: somebody cancelled it.
            AlreadyFailed: it cannot be tracked, an attempt said.
            Busy: another attempt owns it and was heard of lately.
            Transient: DynamoDB did not answer.
        """
        texts = {
            "job_id": job_id, "deployment": self._deployment, "video": message.video,
            "job_name": message.job_name, "user_name": message.user_name, "created_at": self._now(),
        }  # fmt: skip
        keep = ", ".join(f"#{name} = if_not_exists(#{name}, :{name})" for name in texts)
        update = f"SET #status = :running, #reason = :empty, #updated_at = :now, {keep}"
        update += ", #message_id = :message_id, #lease_until = :lease_until"
        update += " ADD #attempts :one REMOVE #result"
        values = {f":{name}": {"S": text} for name, text in texts.items()}
        values |= {":running": {"S": JobStatus.RUNNING}, ":empty": {"S": ""}, ":one": {"N": "1"}}
        values |= {":succeeded": {"S": JobStatus.SUCCEEDED}, ":cancelled": {"S": JobStatus.CANCELLED}}
        values |= {":good": {"S": FOR_GOOD}}
        values |= {":message_id": {"S": message_id}, **self._leased()}
        values |= {":clock": {"N": str(int(self._clock()))}}
        names = [*texts, "status", "reason", "updated_at", "attempts", "result", "message_id", "lease_until"]
        names.append("ended")
        condition = "attribute_not_exists(pk) OR (NOT #status IN (:succeeded, :cancelled)"
        condition += " AND NOT #ended = :good AND (#status <> :running OR #lease_until < :clock))"
        try:
            item = self._update(job_id, update, condition, names, values)
        except _Refused as refused:
            raise _why_not(job_id, refused.item) from refused
        return _lease(job_id, item)

    def holds(self, lease: Lease) -> bool:
        """Whether the attempt still owns its job; the record then shows that it is alive.

        Raises:
            Transient: DynamoDB did not answer.
        """
        names = ["updated_at", "attempts", "status", "lease_until"]
        update, values = "SET #updated_at = :now, #lease_until = :lease_until", _token(lease) | self._leased()
        try:
            self._update(lease.job_id, update, _OWNED, names, values)
        except _Refused:
            return False
        return True

    def _leased(self) -> dict[str, Value]:
        return {":lease_until": {"N": str(int(self._clock()) + LEASE_SECONDS)}}

    def succeed(self, lease: Lease, finished: Finished) -> bool:
        """SUCCEEDED with its result, and counted; False where the attempt owns the job no longer."""
        return self._end(lease, *succeeding(lease, finished))

    def fail(self, lease: Lease, reason: str, for_good: bool = False) -> bool:
        """FAILED with its reason, and counted; False where the attempt owns the job no longer.

        ``for_good``: another attempt would fare no better, so that a second message begins none.
        """
        return self._end(lease, *failing(lease, reason[:REASON_LENGTH], for_good))

    def requeue(self, lease: Lease, reason: str, released: bool = False) -> bool:
        """QUEUED again, with the reason the attempt ended; False where it owns the job no longer.

        ``released``: the worker was told to stop, which is no fault of the video.
        """
        count = str(lease.released + released)
        fields: dict[str, Value] = {
            "status": {"S": JobStatus.QUEUED},
            "reason": {"S": reason[:REASON_LENGTH]},
            "released": {"N": count},
        }
        return self._end(lease, fields, {})

    def refuse(self, job_id: str, reason: str) -> bool:
        """FAILED because its message cannot be read; False where no record is, or it is owned or over."""
        values: dict[str, Value] = {":failed": {"S": JobStatus.FAILED}, ":queued": {"S": JobStatus.QUEUED}}
        values |= {":reason": {"S": reason[:REASON_LENGTH]}}
        update = "SET #status = :failed, #reason = :reason, #updated_at = :now"
        names = ["status", "reason", "updated_at"]
        try:
            self._update(job_id, update, "#status IN (:queued, :failed)", names, values)
        except _Refused:
            return False
        return True

    def _end(self, lease: Lease, fields: dict[str, Value], sums: Sums) -> bool:
        """The record's last fields and the sums over it, all or nothing (DynamoDB TransactWriteItems)."""
        values = {f":{name}": value for name, value in fields.items()} | _token(lease)
        update = "SET #updated_at = :now, " + ", ".join(f"#{name} = :{name}" for name in fields)
        names = {*fields, "attempts", "status", "updated_at"}
        own = self._request(lease.job_id, update, _OWNED, names, values)
        items = [own, *(self._sum(key, added) for key, added in sums.items())]
        for _ in range(_CONFLICTS):
            codes = self._transact(lease.job_id, [{"Update": item} for item in items])
            if not codes:
                return True
            if codes[0] == "ConditionalCheckFailed":
                return False
        raise Transient(f"ending job {lease.job_id}: others write the sums of {self._deployment}")

    def _transact(self, job_id: str, items: list[dict[str, Any]]) -> list[str]:
        """Why DynamoDB cancelled the transaction, for each item; empty where it was done."""
        try:
            self._client.transact_write_items(TransactItems=items)
        except ClientError as error:
            codes = [str(one.get("Code")) for one in error.response.get("CancellationReasons", [])]
            if {"ConditionalCheckFailed", "TransactionConflict"} & set(codes):
                return codes
            raise Transient(f"ending job {job_id}: {aws_code(error)}") from error
        except BotoCoreError as error:
            raise Transient(f"ending job {job_id}: {error}") from error
        return []

    def _sum(self, sort_key: str, added: dict[str, Value]) -> dict[str, Any]:
        values = {f":{name}": one for name, one in added.items()} | {":now": {"S": self._now()}}
        return {
            "TableName": self._table,
            "Key": {"pk": {"S": f"DEPLOYMENT#{self._deployment}"}, "sk": {"S": sort_key}},
            "UpdateExpression": "SET #finished_at = :now ADD "
            + ", ".join(f"#{name} :{name}" for name in added),
            "ExpressionAttributeNames": {f"#{name}": name for name in (*added, "finished_at")},
            "ExpressionAttributeValues": values,
        }

    def _request(
        self, job_id: str, update: str, condition: str, names: Any, values: dict[str, Any]
    ) -> dict[str, Any]:
        return {
            "TableName": self._table,
            "Key": {name: {"S": text} for name, text in job_key(self._deployment, job_id).items()},
            "UpdateExpression": update,
            "ConditionExpression": condition,
            "ExpressionAttributeNames": {f"#{name}": name for name in sorted(names)},
            "ExpressionAttributeValues": values | {":now": {"S": self._now()}},
        }

    def _update(
        self, job_id: str, update: str, condition: str, names: Any, values: dict[str, Any]
    ) -> dict[str, Any]:
        """The item after the update.

        Raises:
            _Refused: with the item as it is.
        """
        request = self._request(job_id, update, condition, names, values)
        try:
            answer = self._client.update_item(
                **request, ReturnValues="ALL_NEW", ReturnValuesOnConditionCheckFailure="ALL_OLD"
            )
        except ClientError as error:
            if aws_code(error) == "ConditionalCheckFailedException":
                raise _Refused(error.response.get("Item", {})) from error
            raise Transient(f"writing the record of job {job_id}: {aws_code(error)}") from error
        except BotoCoreError as error:
            raise Transient(f"writing the record of job {job_id}: {error}") from error
        return dict(answer["Attributes"])


def _why_not(job_id: str, item: dict[str, Any]) -> ServiceError:
    status = item.get("status", {}).get("S")
    if status == JobStatus.CANCELLED:
        return Cancelled(f"job {job_id} was cancelled")
    if status == JobStatus.RUNNING:
        return Busy(f"another attempt works on job {job_id}", str(item.get("message_id", {}).get("S", "")))
    if status == JobStatus.FAILED:
        return AlreadyFailed(f"job {job_id} has failed for good: redrive it to try again")
    return AlreadySucceeded(f"job {job_id} has its result")


def _token(lease: Lease) -> dict[str, Value]:
    return {":attempt": {"N": str(lease.attempt)}, ":running": {"S": JobStatus.RUNNING}}


def _lease(job_id: str, item: dict[str, Any]) -> Lease:
    def text(name: str) -> str:
        return str(item.get(name, {}).get("S", ""))

    released = int(item.get("released", {}).get("N", 0))
    return Lease(job_id, int(item["attempts"]["N"]), text("dive"), text("counted") == "failed", released)
