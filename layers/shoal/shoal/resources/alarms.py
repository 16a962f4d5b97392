"""What a person is told of without looking: one CloudWatch alarm for each way a deployment gets stuck.

An alarm tells the stack's topic (``AlarmTopicArn``) where there is one. Made last and removed first, so that
none rings over a deployment that is being taken away. Nothing to alarm about is not breaching: a queue at
rest stops sending metrics after six hours (SQS guide, "Available CloudWatch metrics for Amazon SQS").
"""

from __future__ import annotations

from typing import Any

from shoal.aws import client, domain_errors
from shoal.contracts.deployment import DeploymentSpec
from shoal.resources import metrics
from shoal.resources.kind import (
    GONE,
    Answer,
    Context,
    Entry,
    Found,
    Made,
    Scope,
    make_or_adopt,
    plain_tags,
    upper_tags,
)
from shoal.settings import settings

BOOT_MINUTES = 20
"""An instance that boots, pulls an image of 8 GB and loads a model may take that long."""

_ABSENT = frozenset({"ResourceNotFound", "ResourceNotFoundException"})


class _Alarm:
    kind: str
    order: int
    suffix: str
    blocked_by: tuple[str, ...] = ()

    def applies(self, spec: DeploymentSpec) -> bool:
        return spec.has_queue

    def name(self, scope: Scope) -> str:
        return scope.name(self.suffix)

    def make(self, context: Context) -> Made:
        return make_or_adopt(self, context, lambda: self._create(context))

    def observe(self, scope: Scope) -> Found | None:
        name = self.name(scope)
        found: list[dict[str, Any]] = []
        with domain_errors(f"look for alarm {name}"):
            found = client("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"]
        return Found(name, _tags(found[0]["AlarmArn"])) if found else None

    def unmake(self, entry: Entry, scope: Scope) -> Answer:  # noqa: ARG002
        with domain_errors(f"delete alarm {entry.name}", absent=_ABSENT):
            client("cloudwatch").delete_alarms(AlarmNames=[entry.name])
        return GONE

    def watched(self, context: Context) -> dict[str, Any]:
        """The metric, threshold and words, as PutMetricAlarm takes them."""
        raise NotImplementedError

    def _create(self, context: Context) -> Made:
        topic = settings().alarm_topic_arn
        client("cloudwatch").put_metric_alarm(
            AlarmName=self.name(context),
            AlarmActions=[topic] if topic else [],
            Tags=upper_tags(context.tags()),
            **self.watched(context),
        )
        return Made(self.name(context))


class DeadLetterAlarm(_Alarm):
    """A video failed as often as it may."""

    kind = "dead_letter_alarm"
    order = 120
    suffix = "dead-letters"

    def watched(self, context: Context) -> dict[str, Any]:
        return {
            "AlarmDescription": f"A video of {context.deployment} failed for good: see its dead letter queue",
            **metrics.single(metrics.visible(context, "dead_letter_queue"), "Maximum", 300),
            **_at_least(1, periods=1),
        }


class OldestVideoAlarm(_Alarm):
    """A video waits longer than the longest one may take, and an hour for the fleet to gather."""

    kind = "oldest_video_alarm"
    order = 121
    suffix = "oldest-video"

    def watched(self, context: Context) -> dict[str, Any]:
        seconds = round((context.spec.timeout_hours + 1) * 3600)
        return {
            "AlarmDescription": f"A video of {context.deployment} waits for {seconds} s: raise fleet_size",
            **metrics.single(metrics.oldest(context), "Maximum", 300),
            **_at_least(seconds, periods=1),
        }


class StalledQueueAlarm(_Alarm):
    """Videos wait and no worker has come."""

    kind = "stalled_queue_alarm"
    order = 122
    suffix = "stalled-queue"

    def watched(self, context: Context) -> dict[str, Any]:
        return {
            "AlarmDescription": f"Videos of {context.deployment} wait and no worker runs: see its status",
            "Metrics": [
                metrics.query("waiting", metrics.visible(context, "queue"), "Maximum"),
                metrics.query("running", metrics.running_tasks(context), "Maximum"),
                {
                    "Id": "stalled",
                    "Expression": "IF(waiting > 0 AND FILL(running, 0) < 1, 1, 0)",
                    "Label": "videos wait, no worker runs",
                    "ReturnData": True,
                },
            ],
            **_at_least(1, periods=BOOT_MINUTES),
        }


class UnhealthyEndpointAlarm(_Alarm):
    """The endpoint has had no healthy worker for longer than one needs to come up."""

    kind = "unhealthy_endpoint_alarm"
    order = 123
    suffix = "unhealthy-endpoint"

    def applies(self, spec: DeploymentSpec) -> bool:
        return spec.has_endpoint

    def watched(self, context: Context) -> dict[str, Any]:
        return {
            "AlarmDescription": f"No worker of {context.deployment} is healthy: its endpoint answers 503",
            **metrics.single(metrics.healthy_targets(context), "Maximum", 60),
            "EvaluationPeriods": BOOT_MINUTES,
            "Threshold": 1,
            "ComparisonOperator": "LessThanThreshold",
            "TreatMissingData": "breaching",  # without any target there is no metric
        }


def _at_least(threshold: float, periods: int) -> dict[str, Any]:
    return {
        "EvaluationPeriods": periods,
        "Threshold": threshold,
        "ComparisonOperator": "GreaterThanOrEqualToThreshold",
        "TreatMissingData": "notBreaching",
    }


def _tags(arn: str) -> dict[str, str]:
    with domain_errors(f"read the tags of {arn}", absent=_ABSENT):
        return plain_tags(client("cloudwatch").list_tags_for_resource(ResourceARN=arn)["Tags"])
    return {}
