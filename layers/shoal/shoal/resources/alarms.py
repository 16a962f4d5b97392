"""What a person is told of without looking: one CloudWatch alarm for each way a deployment gets stuck.

An alarm tells the stack's topic (``AlarmTopicArn``) where there is one. Made last and removed first, so that
none rings over a deployment that is being taken away. Nothing to alarm about is not breaching: a queue at
rest stops sending metrics after six hours (SQS guide, "Available CloudWatch metrics for Amazon SQS").

What a stop causes cannot ring while it lasts: the threshold is out of reach, so that the alarm is OK. With
its actions disabled it would stand in ALARM, and tell nobody of a start that brings no worker: actions run
only when the state changes (CloudWatch guide, "Alarm actions").
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
    fingerprint_of,
    make_tuned,
    plain_tags,
    upper_tags,
)
from shoal.settings import settings

BOOT_MINUTES = 20
"""An instance that boots, pulls an image of 8 GB and loads a model may take that long."""

_LONGEST_AGE = 14 * 24 * 3600
"""Seconds for which SQS keeps a message at most."""

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
        return make_tuned(self, context, lambda: self._create(context))

    def fingerprint(self, context: Context) -> str:
        return fingerprint_of(self._settings(context))

    def tune(self, context: Context) -> None:
        """PutMetricAlarm overwrites all but the tags; the state stays until it is evaluated again."""
        with domain_errors(f"set alarm {self.name(context)}"):
            client("cloudwatch").put_metric_alarm(**self._settings(context))

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
        tags = upper_tags(context.tags())
        client("cloudwatch").put_metric_alarm(Tags=tags, **self._settings(context))
        return Made(self.name(context))

    def _settings(self, context: Context) -> dict[str, Any]:
        topic = settings().alarm_topic_arn
        name, actions = self.name(context), [topic] if topic else []
        return {"AlarmName": name, "AlarmActions": actions, **self.watched(context)}


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
        seconds = longest_wait(context.spec)
        return {
            "AlarmDescription": f"A video of {context.deployment} waits for {seconds} s: raise fleet_size",
            **metrics.single(metrics.oldest(context), "Maximum", 300),
            **_at_least(_LONGEST_AGE + 1 if context.halted else seconds, periods=1),
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
            # the expression is 0 or 1
            **_at_least(2 if context.halted else 1, periods=BOOT_MINUTES),
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
            # without any target there is no metric
            "TreatMissingData": "notBreaching" if context.halted else "breaching",
        }


def longest_wait(spec: DeploymentSpec) -> int:
    """Seconds a video may wait: as long as the longest one may take, and an hour for the fleet to gather."""
    return round((spec.timeout_hours + 1) * 3600)


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
