"""CloudWatch: what AWS refuses, and what becomes of an alarm's tags."""

from __future__ import annotations

import json
from typing import Any

from strict_cases.behaviour import shows
from strict_cases.case import Case
from strict_world import Account

METRIC = {"Namespace": "AWS/SQS", "MetricName": "ApproximateNumberOfMessagesVisible"}
STAT = {"Metric": METRIC, "Period": 60, "Stat": "Maximum"}


def alarm(a: Account, **more: Any) -> str:
    """An alarm called ``dry``; its ARN."""
    given = {"Threshold": 1, "ComparisonOperator": "LessThanThreshold", "EvaluationPeriods": 1, **more}
    if "Metrics" not in given:
        given = {**METRIC, "Statistic": "Maximum", "Period": 60, **given}
    a.cloudwatch.put_metric_alarm(AlarmName="dry", **given)
    return str(a.cloudwatch.describe_alarms(AlarmNames=["dry"])["MetricAlarms"][0]["AlarmArn"])


def dashboard(a: Account, **widget: Any) -> None:
    given = {"type": "metric", "properties": {"metrics": [["AWS/SQS", "x"]], "region": "us-west-2"}, **widget}
    a.cloudwatch.put_dashboard(DashboardName="pond", DashboardBody=json.dumps({"widgets": [given]}))


def tags_of(a: Account, arn: str) -> list[dict[str, str]]:
    return list(a.cloudwatch.list_tags_for_resource(ResourceARN=arn)["Tags"])


@shows("tags_of_an_alarm_are_looked_up", "known_alarm_keeps_its_tags")
def a_known_alarm_keeps_its_tags(a: Account) -> None:
    alarm(a, Tags=[{"Key": "revision", "Value": "1"}])
    arn = alarm(a, Tags=[{"Key": "revision", "Value": "2"}], Threshold=2)
    assert tags_of(a, arn) == [{"Key": "revision", "Value": "1"}]


@shows("deleted_alarms_exist")
def a_deleted_alarm_takes_its_tags_with_it(a: Account) -> None:
    alarm(a, Tags=[{"Key": "revision", "Value": "1"}])
    a.cloudwatch.delete_alarms(AlarmNames=["dry"])
    assert tags_of(a, alarm(a)) == []


WATCHING = [
    Case("alarm_period_is_whole", "ValidationError", lambda a: alarm(a, Period=90)),
    Case("alarm_period_is_whole", "ValidationError", lambda a: alarm(a, Period=3600, EvaluationPeriods=25)),
    Case(
        "alarm_period_is_whole",
        "ValidationError",
        lambda a: alarm(a, Metrics=[{"Id": "m", "MetricStat": {**STAT, "Period": 45}}]),
    ),
    Case(
        "alarm_has_one_result",
        "ValidationError",
        lambda a: alarm(a, Metrics=[{"Id": name, "MetricStat": STAT} for name in ("a", "b")]),
    ),
    Case(
        "alarm_has_one_result",
        "ValidationError",
        lambda a: alarm(a, Metrics=[{"Id": "m", "MetricStat": STAT}], **METRIC, Period=60),
    ),
    Case(
        "deleted_alarms_exist",
        "ResourceNotFound",
        lambda a: a.cloudwatch.delete_alarms(AlarmNames=["dry", "none"]),
        lambda a: alarm(a),
    ),
    Case(
        "tagged_alarm_exists",
        "ResourceNotFoundException",
        lambda a: tags_of(a, "arn:aws:cloudwatch:us-west-2:123456789012:alarm:none"),
    ),
    Case("dashboard_body_has_widgets", "InvalidParameterInput", lambda a: dashboard(a, type="pie")),
    Case("dashboard_body_has_widgets", "InvalidParameterInput", lambda a: dashboard(a, x=20)),
    Case("dashboard_body_has_widgets", "InvalidParameterInput", lambda a: dashboard(a, properties={})),
    Case(
        "dashboard_body_has_widgets",
        "InvalidParameterInput",
        lambda a: a.cloudwatch.put_dashboard(DashboardName="pond", DashboardBody="[]"),
    ),
]
