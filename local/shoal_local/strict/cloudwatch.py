"""Alarms and dashboards: what they may hold, and what becomes of their tags."""

from __future__ import annotations

import json
from typing import Any

from shoal_local.strict.engine import Call, after, before, refused

_WIDGETS = frozenset({"metric", "text", "log", "alarm", "explorer", "custom"})
_LONGEST = 86_400
_FINE_PERIODS = frozenset({10, 20, 30})


@before("cloudwatch", "PutMetricAlarm")
def alarm_period_is_whole(call: Call) -> None:
    """CloudWatch API PutMetricAlarm: Period is 10, 20, 30 or any multiple of 60; EvaluationPeriods times
    Period is at most one day (86,400 s)."""
    stats = [query["MetricStat"] for query in call.get("Metrics", []) if query.get("MetricStat")]
    for stat in [*stats, *([call.parameters] if call.get("MetricName") else [])]:
        period = int(stat.get("Period") or 0)
        if period not in _FINE_PERIODS and (period < 60 or period % 60):
            raise refused("ValidationError", f"Period must be 10, 20, 30 or a multiple of 60, not {period}")
        if period * int(call.get("EvaluationPeriods", 1)) > _LONGEST:
            raise refused("ValidationError", "Metrics cannot be checked across more than a day")


@before("cloudwatch", "PutMetricAlarm")
def alarm_has_one_result(call: Call) -> None:
    """CloudWatch API PutMetricAlarm, Metrics: "One item in the Metrics array is the math expression that the
    alarm watches": exactly one with ReturnData true; MetricName and Metrics exclude each other."""
    queries = call.get("Metrics", [])
    if bool(queries) == bool(call.get("MetricName")):
        raise refused("ValidationError", "Exactly one of MetricName and Metrics must be given")
    if queries and sum(query.get("ReturnData", True) is not False for query in queries) != 1:
        raise refused("ValidationError", "Exactly one element of the metrics list should return data")


@before("cloudwatch", "PutMetricAlarm")
def tags_of_an_alarm_are_looked_up(call: Call) -> None:
    """CloudWatch API PutMetricAlarm, Tags; see :func:`known_alarm_keeps_its_tags`."""
    backend = call.backend("cloudwatch")
    known = backend.alarms.get(call.get("AlarmName"))
    call.response.shoal_tags = known and dict(backend.tagger.get_tag_dict_for_resource(known.alarm_arn))


@after("cloudwatch", "PutMetricAlarm")
def known_alarm_keeps_its_tags(call: Call, _: Any) -> None:
    """CloudWatch API PutMetricAlarm, Tags: "If you are using this operation to update an existing alarm, any
    tags you specify in this parameter are ignored."""
    earlier = call.response.shoal_tags
    if earlier is not None:
        tagger = call.backend("cloudwatch").tagger
        arn = call.backend("cloudwatch").alarms[call.get("AlarmName")].alarm_arn
        tagger.delete_all_tags_for_resource(arn)
        tagger.tag_resource(arn, [{"Key": key, "Value": value} for key, value in earlier.items()])


@before("cloudwatch", "DeleteAlarms")
def deleted_alarms_exist(call: Call) -> None:
    """CloudWatch API DeleteAlarms: ResourceNotFound; "If you specify an incorrect alarm name or make any
    other error in the operation, no alarms are deleted." """
    backend = call.backend("cloudwatch")
    for name in call.get("AlarmNames", []):
        if name not in backend.alarms:
            raise refused("ResourceNotFound", f"Alarm {name} does not exist")
    for name in call.get("AlarmNames", []):
        backend.tagger.delete_all_tags_for_resource(backend.alarms[name].alarm_arn)


@before("cloudwatch", "ListTagsForResource")
def tagged_alarm_exists(call: Call) -> None:
    """CloudWatch API ListTagsForResource: ResourceNotFoundException."""
    arns = {alarm.alarm_arn for alarm in call.backend("cloudwatch").alarms.values()}
    if ":alarm:" in call.get("ResourceARN", "") and call.get("ResourceARN") not in arns:
        raise refused("ResourceNotFoundException", f"Unknown resource {call.get('ResourceARN')}")


@before("cloudwatch", "PutDashboard")
def dashboard_body_has_widgets(call: Call) -> None:
    """CloudWatch API PutDashboard: DashboardInvalidInputError (InvalidParameterInput); the body is a list of
    widgets, each with a known type, a place on the grid of 24 columns, and properties."""
    body = json.loads(call.get("DashboardBody", "{}"))
    widgets = body.get("widgets") if isinstance(body, dict) else None
    if not isinstance(widgets, list) or not all(_is_widget(one) for one in widgets):
        raise refused("InvalidParameterInput", "The dashboard body is invalid, there are validation errors")


def _is_widget(one: Any) -> bool:
    if not isinstance(one, dict) or one.get("type") not in _WIDGETS or "properties" not in one:
        return False
    if int(one.get("x", 0)) + int(one.get("width", 6)) > 24:
        return False
    properties = one["properties"]
    return one["type"] != "metric" or bool(properties.get("metrics") and properties.get("region"))
