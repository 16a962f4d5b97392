"""The ledger feeds the queue: a job waits as a marker in the table until there is room for its message.

SQS forgets after 14 days and holds about 120,000 messages in flight; the table does neither. A marker is
written in the transaction that records its job, and goes when its message was taken: an intake that dies in
between loses nothing, the reconciler's next pass sends it. A message sent twice is a duplicate to the worker.
"""

from __future__ import annotations

from typing import Any

from shoal import table
from shoal.aws import client, domain_errors
from shoal.jobs import queue

ROOM = 2_000
"""Messages in a queue: half an hour of the largest fleet's shortest clips, four kilobytes of anything."""

_PREFIX = "FEED#"
_DELETES = 100
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
    for start in range(0, len(sent), _DELETES):
        table.write(*[unmark(deployment, job_id) for job_id in sent[start : start + _DELETES]])
    return len(sent)


def _visible(queue_url: str) -> int:
    with domain_errors("count the messages of the queue"):
        answer: dict[str, Any] = client("sqs").get_queue_attributes(
            QueueUrl=queue_url, AttributeNames=[_VISIBLE]
        )
    return int(answer["Attributes"][_VISIBLE])


def _key(deployment: str, job_id: str) -> table.Item:
    return {"pk": table.deployment_key(deployment), "sk": f"{_PREFIX}{job_id}"}
