"""The video queue of a deployment and its dead letter queue (SQS, standard).

Standard, because S3 cannot notify a FIFO queue. 300 s of visibility, because the worker extends it while it
works, and the video of a crashed one should come back soon. Five receives, because a lost answer costs one.
"""

from __future__ import annotations

import json

from shoal.aws import client, domain_errors
from shoal.contracts.deployment import DeploymentSpec
from shoal.resources.kind import GONE, Answer, Context, Entry, Found, Made, Scope, make_or_adopt

VISIBILITY_SECONDS = 300
MAX_RECEIVES = 5
RETENTION_SECONDS = 14 * 24 * 3600
NAME_LIMIT = 80

_ABSENT = frozenset({"AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"})
_TAKEN = frozenset({"QueueAlreadyExists", "QueueNameExists"})


class _AnyQueue:
    suffix: str

    def applies(self, spec: DeploymentSpec) -> bool:
        return spec.has_queue

    def name(self, scope: Scope) -> str:
        return scope.name(self.suffix, NAME_LIMIT)

    def observe(self, scope: Scope) -> Found | None:
        """Its ARN, its tags, and its URL in ``extra``."""
        queues, name = client("sqs"), self.name(scope)
        with domain_errors(f"look for queue {name}", absent=_ABSENT):
            url = queues.get_queue_url(QueueName=name)["QueueUrl"]
            tags = queues.list_queue_tags(QueueUrl=url).get("Tags", {})
            return Found(_arn(url), tags, {"url": url})
        return None

    def unmake(self, entry: Entry, scope: Scope) -> Answer:  # noqa: ARG002
        with domain_errors(f"delete queue {entry.name}", absent=_ABSENT):
            client("sqs").delete_queue(QueueUrl=entry.extra["url"])
        return GONE

    def _create(self, context: Context, attributes: dict[str, str]) -> Made:
        answer = client("sqs").create_queue(
            QueueName=self.name(context),
            Attributes={"SqsManagedSseEnabled": "true", "MessageRetentionPeriod": str(RETENTION_SECONDS)}
            | attributes,
            tags=context.tags(),
        )
        return Made(_arn(answer["QueueUrl"]), {"url": answer["QueueUrl"]})


class DeadLetterQueue(_AnyQueue):
    """Where a video goes that failed five times; it is kept there for 14 days."""

    kind = "dead_letter_queue"
    order = 45
    blocked_by = ("queue",)
    suffix = "dead"

    def make(self, context: Context) -> Made:
        return make_or_adopt(self, context, lambda: self._create(context, {}), _TAKEN)


class Queue(_AnyQueue):
    """Where the workers of the deployment take their videos."""

    kind = "queue"
    order = 50
    blocked_by = ("service",)
    suffix = "jobs"

    def make(self, context: Context) -> Made:
        redrive = {
            "deadLetterTargetArn": context.arn("dead_letter_queue"),
            "maxReceiveCount": str(MAX_RECEIVES),
        }
        attributes = {
            "VisibilityTimeout": str(VISIBILITY_SECONDS),
            "ReceiveMessageWaitTimeSeconds": "20",
            "RedrivePolicy": json.dumps(redrive),
        }
        return make_or_adopt(self, context, lambda: self._create(context, attributes), _TAKEN)


def _arn(url: str) -> str:
    answer = client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    return str(answer["Attributes"]["QueueArn"])
