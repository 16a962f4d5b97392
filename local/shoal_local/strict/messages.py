"""SQS and SES: ranges, names that rest, and mail headers."""

from __future__ import annotations

import time
from typing import Any

from shoal_local.strict.engine import Call, after, before, refused
from shoal_local.strict.slow import PACE

_RANGES = {
    "VisibilityTimeout": (0, 43200), "MessageRetentionPeriod": (60, 1209600),
    "DelaySeconds": (0, 900), "ReceiveMessageWaitTimeSeconds": (0, 20),
}  # fmt: skip
QUEUE_REST_SECONDS = 60
"""SQS API DeleteQueue: "When you delete a queue, you must wait at least 60 seconds before creating a queue
with the same name." On the cloud's clock."""


@before("sqs", "CreateQueue", "SetQueueAttributes")
def queue_attributes_are_in_range(call: Call) -> None:
    """SQS API CreateQueue: VisibilityTimeout 0-43200, MessageRetentionPeriod 60-1209600, DelaySeconds 0-900,
    ReceiveMessageWaitTimeSeconds 0-20 (moto takes VisibilityTimeout 43201)."""
    for name, (low, high) in _RANGES.items():
        value = call.get("Attributes", {}).get(name)
        if value is not None and not (str(value).isdigit() and low <= int(value) <= high):
            raise refused("InvalidAttributeValue", f"Invalid value for the parameter {name}.")


@before("sqs", "CreateQueue")
def queue_name_rests(call: Call) -> None:
    """SQS API CreateQueue: QueueDeletedRecently within 60 seconds of DeleteQueue."""
    deleted = getattr(call.backend("sqs"), "shoal_deleted", {}).get(call.get("QueueName"))
    if deleted is not None and time.monotonic() - deleted < QUEUE_REST_SECONDS / PACE.speed:
        message = (
            "You must wait 60 seconds after deleting a queue before you can create another with "
            "the same name."
        )
        raise refused("QueueDeletedRecently", message)


@after("sqs", "DeleteQueue")
def deleted_queue_is_remembered(call: Call, _: Any) -> None:
    """SQS API DeleteQueue; see :func:`queue_name_rests`."""
    backend = call.backend("sqs")
    name = str(call.get("QueueUrl", "")).rsplit("/", 1)[-1]
    backend.shoal_deleted = {**getattr(backend, "shoal_deleted", {}), name: time.monotonic()}


def _addresses(call: Call) -> list[Any]:
    return [address for kind in (call.get("Destination") or {}).values() for address in kind]


def _one_line(text: Any) -> bool:
    return not any(sign in str(text or "") for sign in "\r\n")


@before("ses", "SendEmail")
def mail_headers_are_one_line(call: Call) -> None:
    """SES API SendEmail, Subject, with RFC 5322 2.2: a header has no CR and no LF; InvalidParameterValue."""
    subject = ((call.get("Message") or {}).get("Subject") or {}).get("Data")
    addresses = [call.get("Source"), *_addresses(call)]
    if not all(_one_line(text) for text in [subject, *addresses]):
        raise refused("InvalidParameterValue", "Header value contains a line break.")


@before("sesv2", "SendEmail")
def mail_v2_headers_are_one_line(call: Call) -> None:
    """SES API v2 SendEmail, Content, with RFC 5322 2.2: BadRequestException for a CR or LF in a header."""
    simple = (call.get("Content") or {}).get("Simple") or {}
    subject = (simple.get("Subject") or {}).get("Data")
    addresses = [call.get("FromEmailAddress"), *_addresses(call)]
    if not all(_one_line(text) for text in [subject, *addresses]):
        raise refused("BadRequestException", "Header value contains a line break.")
