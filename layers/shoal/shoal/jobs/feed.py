"""The ledger feeds the queue: a job waits as a marker in the table until there is room for its message.

SQS forgets after 14 days and holds about 120,000 messages in flight; the table does neither. A marker is
written in the transaction that records its job, and goes when its message was taken: an intake that dies in
between loses nothing, the reconciler's next pass sends it. A message sent twice is a duplicate to the worker.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from shoal import table
from shoal.aws import client, domain_errors
from shoal.contracts.job import job_key
from shoal.contracts.status import JobStatus
from shoal.jobs import queue

ROOM = 2_000
"""Messages in a queue: half an hour of the largest fleet's shortest clips, four kilobytes of anything."""

_PREFIX = "FEED#"
_DELETES = 100
_DELETES_BYTES = 3_000_000
"""Markers in one transaction: DynamoDB's 4 MB may count what is deleted, too."""
_LOOK_SECONDS = 1
"""Not 0, which asks some of the queue's servers only (SQS guide, "Short and long polling")."""
_WITHDRAWALS = 100
"""Batches of ten in one pass; the next one takes the rest."""
_HIDDEN_SECONDS = 30
_NOT_OVER = frozenset({JobStatus.QUEUED, JobStatus.RUNNING})
_VISIBLE = "ApproximateNumberOfMessages"


def marker(deployment: str, job_id: str, body: str) -> table.Write:
    """The write that makes a recorded job wait for its message."""
    return {"Put": {"Item": _key(deployment, job_id) | {"body": body}}}


def unmark(deployment: str, job_id: str) -> table.Write:
    """The write that takes a waiting job out again."""
    return {"Delete": {"Key": _key(deployment, job_id)}}


def top_up(deployment: str, queue_url: str) -> int:
    """Send what waits, oldest first, as far as there is room; answers how many messages were taken.

    Raises:
        Denied: the role may not send.
    """
    waiting = table.query(table.deployment_key(deployment), _PREFIX, limit=ROOM)
    if not waiting:
        return 0
    room = ROOM - _visible(queue_url)
    bodies = {str(one["sk"]).removeprefix(_PREFIX): str(one["body"]) for one in waiting[: max(0, room)]}
    unsent = queue.send(queue_url, bodies)
    sent = [job_id for job_id in bodies if job_id not in unsent]
    for batch in _batches({job_id: bodies[job_id] for job_id in sent}):
        table.write(*[unmark(deployment, job_id) for job_id in batch])
    return len(sent)


def withdraw(deployment: str, queue_url: str) -> int:
    """Take back what waits in the queue, so that no worker finds a further video; answers how many.

    Each message becomes its job's marker again before it goes: dying in between leaves a duplicate. A message
    that is no recorded job's is left alone.
    """
    taken = 0
    for _ in range(_WITHDRAWALS):
        with domain_errors("take back the messages of the queue"):
            answer = client("sqs").receive_message(
                QueueUrl=queue_url,
                MaxNumberOfMessages=10,
                VisibilityTimeout=_HIDDEN_SECONDS,
                WaitTimeSeconds=_LOOK_SECONDS,
            )
        received = {_job_of(one["Body"]): one for one in answer.get("Messages", [])}
        if not received:
            break
        taken += _take_back(deployment, queue_url, received)
    return taken


def _take_back(deployment: str, queue_url: str, received: dict[str, dict[str, Any]]) -> int:
    items = table.read_many([job_key(deployment, job_id) for job_id in received if job_id])
    found = {str(item["job_id"]): item for item in items}
    waiting = [job_id for job_id, item in found.items() if item["status"] in _NOT_OVER]
    if waiting:
        table.write(*[marker(deployment, job_id, received[job_id]["Body"]) for job_id in waiting])
    entries = [{"Id": job_id, "ReceiptHandle": received[job_id]["ReceiptHandle"]} for job_id in found]
    if entries:
        with domain_errors("take back the messages of the queue"):
            client("sqs").delete_message_batch(QueueUrl=queue_url, Entries=entries)
    return len(waiting)


def _batches(bodies: dict[str, str]) -> Iterator[list[str]]:
    """Job ids whose markers one transaction deletes."""
    batch, size = list[str](), 0
    for job_id, body in bodies.items():
        if batch and (len(batch) == _DELETES or size + len(body) > _DELETES_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(job_id)
        size += len(body)
    if batch:
        yield batch


def _job_of(body: str) -> str:
    """The job of a message; empty where it names none."""
    try:
        parsed = json.loads(body)
    except ValueError:
        return ""
    job_id = parsed.get("job_id") if isinstance(parsed, dict) else None
    return job_id if isinstance(job_id, str) and 0 < len(job_id) <= 64 else ""


def _visible(queue_url: str) -> int:
    with domain_errors("count the messages of the queue"):
        answer: dict[str, Any] = client("sqs").get_queue_attributes(
            QueueUrl=queue_url, AttributeNames=[_VISIBLE]
        )
    return int(answer["Attributes"][_VISIBLE])


def _key(deployment: str, job_id: str) -> table.Item:
    return {"pk": table.deployment_key(deployment), "sk": f"{_PREFIX}{job_id}"}
