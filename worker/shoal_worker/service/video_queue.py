"""The video queue (SQS): one message at a time, its visibility, its end.

Source: SQS Developer Guide, "Amazon SQS visibility timeout": a message can be in flight for 12 hours in all.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from shoal_worker.service.errors import ConfigurationError, Transient
from shoal_worker.service.storage import aws_code

VISIBILITY_SECONDS = 300
POLL_SECONDS = 3
"""Short enough that a worker told to stop never leaves a message behind in an unanswered poll."""

GONE_CODES = frozenset({"MessageNotInflight", "ReceiptHandleIsInvalid", "InvalidParameterValue"})
"""What SQS answers for a message that is ours no longer."""


@dataclass(frozen=True)
class Delivery:
    """One receive of one message."""

    body: str
    receipt: str
    message_id: str
    receives: int
    received_at: float = field(default_factory=time.monotonic)


class NoLongerOurs(Exception):
    """The message was deleted, or its visibility ran out and another worker has it."""


class VideoQueue:
    """One queue through one SQS client. Thread-safe."""

    def __init__(self, client: Any, url: str) -> None:
        self._sqs = client
        self._url = url

    def maximum_receives(self) -> int:
        """After how many receives SQS moves a message to the dead-letter queue; 0 where it never does.

        Raises:
            ConfigurationError: there is no such queue, or the role may not ask.
            Transient: SQS did not answer.
        """
        try:
            answer = self._sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=["RedrivePolicy"])
        except ClientError as error:
            code = aws_code(error).rpartition(".")[2]
            if code in {"NonExistentQueue", "QueueDoesNotExist", "AccessDenied", "AccessDeniedException"}:
                advice = "check VIDEO_QUEUE and the role's sqs:GetQueueAttributes"
                raise ConfigurationError(f"{self._url}: {code}; {advice}") from error
            raise Transient(f"asking about {self._url}: {code}") from error
        except BotoCoreError as error:
            raise Transient(f"asking about {self._url}: {error}") from error
        policy = json.loads(answer.get("Attributes", {}).get("RedrivePolicy", "{}"))
        return int(policy.get("maxReceiveCount", 0))

    def receive(self) -> Delivery | None:
        """One message, or None after a poll without one.

        Raises:
            Transient: SQS did not answer.
        """
        try:
            answer = self._sqs.receive_message(
                QueueUrl=self._url,
                MaxNumberOfMessages=1,
                WaitTimeSeconds=POLL_SECONDS,
                VisibilityTimeout=VISIBILITY_SECONDS,
                AttributeNames=["ApproximateReceiveCount"],
            )
        except (ClientError, BotoCoreError) as error:
            raise Transient(f"receiving from {self._url}: {error}") from error
        for message in answer.get("Messages", []):
            receives = int(message.get("Attributes", {}).get("ApproximateReceiveCount", 1))
            return Delivery(message["Body"], message["ReceiptHandle"], message["MessageId"], receives)
        return None

    def extend(self, delivery: Delivery, seconds: int) -> None:
        """Keep the message hidden for ``seconds`` from now; 0 gives it back at once.

        Raises:
            NoLongerOurs: the receipt is not valid any more.
            Transient: SQS did not answer.
        """
        try:
            self._sqs.change_message_visibility(
                QueueUrl=self._url, ReceiptHandle=delivery.receipt, VisibilityTimeout=seconds
            )
        except ClientError as error:
            if aws_code(error).rpartition(".")[2] in GONE_CODES:
                raise NoLongerOurs(aws_code(error)) from error
            raise Transient(f"visibility of message {delivery.message_id}: {aws_code(error)}") from error
        except BotoCoreError as error:
            raise Transient(f"visibility of message {delivery.message_id}: {error}") from error

    def delete(self, delivery: Delivery) -> None:
        """The message is done with; one that is gone already is no error.

        Raises:
            Transient: SQS did not do it; the message will come again and is then a duplicate.
        """
        try:
            self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=delivery.receipt)
        except ClientError as error:
            if aws_code(error).rpartition(".")[2] not in GONE_CODES:
                raise Transient(f"deleting message {delivery.message_id}: {aws_code(error)}") from error
        except BotoCoreError as error:
            raise Transient(f"deleting message {delivery.message_id}: {error}") from error
