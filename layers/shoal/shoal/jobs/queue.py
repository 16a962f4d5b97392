"""Messages into a deployment's queue, in batches; what SQS does not take is said."""

from __future__ import annotations

from collections.abc import Iterator

from shoal.aws import client, domain_errors
from shoal.errors import Denied, ShoalError

_BATCH = 10
_BATCH_BYTES = 262_144
"""Well below the 1 MiB that SQS allows for a whole batch."""
_ATTEMPTS = 3


def send(queue_url: str, bodies: dict[str, str]) -> dict[str, str]:
    """Send every body, by job id; answers the job ids of those that SQS did not take, each with its code.

    Raises:
        Denied: the role may not send.
    """
    unsent: dict[str, str] = {}
    for batch in _batches(bodies):
        unsent |= _send_batch(queue_url, batch)
    return unsent


def _send_batch(queue_url: str, bodies: dict[str, str]) -> dict[str, str]:
    """Up to three attempts for what SQS refuses for its own reasons."""
    failed: dict[str, str] = {}
    for _ in range(_ATTEMPTS):
        try:
            failed = _send_once(queue_url, bodies)
        except Denied:
            raise
        except ShoalError as error:
            return dict.fromkeys(bodies, error.code)
        bodies = {job_id: bodies[job_id] for job_id in failed}
        if not failed:
            break
    return failed


def _send_once(queue_url: str, bodies: dict[str, str]) -> dict[str, str]:
    entries = [{"Id": job_id, "MessageBody": body} for job_id, body in bodies.items()]
    with domain_errors("send the messages"):
        answer = client("sqs").send_message_batch(QueueUrl=queue_url, Entries=entries)
    return {str(one["Id"]): str(one["Code"]) for one in answer.get("Failed", [])}


def _batches(bodies: dict[str, str]) -> Iterator[dict[str, str]]:
    batch: dict[str, str] = {}
    for job_id, body in bodies.items():
        full = len(batch) == _BATCH or sum(map(len, batch.values())) + len(body) > _BATCH_BYTES
        if batch and full:
            yield batch
            batch = {}
        batch[job_id] = body
    if batch:
        yield batch
