"""The alarms over the system's own metrics watch what the code writes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from shoal import telemetry
from shoal.fleet import reconciling
from shoal.settings import settings


def written(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """A metric as CloudWatch reads it from the log."""
    telemetry.measure("IdleGpuSeconds", 12.5, "Seconds")
    line: dict[str, Any] = json.loads(capsys.readouterr().out)
    return line


def test_the_idle_alarm_watches_the_metric_that_is_written(
    translated: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # Given
    monkeypatch.setenv("SHOAL_ENVIRONMENT", "prod")
    settings.cache_clear()
    alarm = translated["Resources"]["IdleGpuAlarm"]["Properties"]
    # When
    line = written(capsys)
    settings.cache_clear()
    # Then
    (directive,) = line["_aws"]["CloudWatchMetrics"]
    dimensions = {one["Name"]: one["Value"] for one in alarm["Dimensions"]}
    assert (directive["Namespace"], directive["Metrics"][0]["Name"]) == (
        alarm["Namespace"],
        alarm["MetricName"],
    )
    assert sorted(directive["Dimensions"][0]) == sorted(dimensions)
    assert line["service"] == dimensions["service"]
    assert (line["environment"], dimensions["environment"]) == ("prod", {"Ref": "Environment"})
    assert line["IdleGpuSeconds"] == [12.5]


def test_it_rings_at_what_the_log_names(translated: dict[str, Any]) -> None:
    alarm = translated["Resources"]["IdleGpuAlarm"]["Properties"]
    assert alarm["Threshold"] == reconciling.IDLE_LIMIT_SECONDS
