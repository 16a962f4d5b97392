"""The dashboard of a deployment (CloudWatch, PutDashboard).

A dashboard has no tags and no region: its name carries the region, and its first widget says whose it is.
"""

from __future__ import annotations

import json
import re
from typing import Any

from shoal.aws import client, domain_errors
from shoal.contracts.deployment import DeploymentSpec
from shoal.resources import metrics
from shoal.resources.alarms import longest_wait
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
)
from shoal.resources.metrics import Metric
from shoal.settings import settings

_ABSENT = frozenset({"ResourceNotFound", "DashboardNotFoundError"})
_WIDTH, _HEIGHT = 12, 6
"""Two widgets beside each other on CloudWatch's grid of 24 columns."""


class Dashboard:
    kind = "dashboard"
    order = 130
    blocked_by = ()

    def applies(self, spec: DeploymentSpec) -> bool:
        return spec.dashboard

    def name(self, scope: Scope) -> str:
        return scope.name(settings().aws_region)

    def make(self, context: Context) -> Made:
        return make_tuned(self, context, lambda: self._create(context))

    def fingerprint(self, context: Context) -> str:
        """Without the title, which names the revision."""
        return fingerprint_of(_graphs(context))

    def tune(self, context: Context) -> None:
        with domain_errors(f"set dashboard {self.name(context)}"):
            self._create(context)

    def observe(self, scope: Scope) -> Found | None:
        name = self.name(scope)
        with domain_errors(f"look for dashboard {name}", absent=_ABSENT):
            body = client("cloudwatch").get_dashboard(DashboardName=name)["DashboardBody"]
            return Found(name, _owner_in(body))
        return None

    def unmake(self, entry: Entry, scope: Scope) -> Answer:  # noqa: ARG002
        with domain_errors(f"delete dashboard {entry.name}", absent=_ABSENT):
            client("cloudwatch").delete_dashboards(DashboardNames=[entry.name])
        return GONE

    def _create(self, context: Context) -> Made:
        name = self.name(context)
        client("cloudwatch").put_dashboard(DashboardName=name, DashboardBody=json.dumps(_body(context)))
        return Made(name)


def _owner_in(body: str) -> dict[str, str]:
    """The tags that our own text widget writes; none in a dashboard that is not ours."""
    return dict(re.findall(r"`(shoal:[a-z-]+)=([^`]*)`", body))


def _body(context: Context) -> dict[str, Any]:
    graphs = _graphs(context)
    placed = [
        {"type": "metric", "x": n % 2 * _WIDTH, "y": 2 + n // 2 * _HEIGHT, **_SIZE, "properties": graph}
        for n, graph in enumerate(graphs)
    ]
    return {"widgets": [_title(context), *placed]}


_SIZE = {"width": _WIDTH, "height": _HEIGHT}


def _title(context: Context) -> dict[str, Any]:
    owner = " ".join(f"`{key}={value}`" for key, value in context.tags().items())
    text = f"## {context.deployment}\nMade by Shoal and removed with the deployment. {owner}"
    return {"type": "text", "x": 0, "y": 0, "width": 24, "height": 2, "properties": {"markdown": text}}


def _graphs(context: Context) -> list[dict[str, Any]]:
    graphs = [_graph("Workers", [metrics.running_tasks(context)], "Maximum")]
    if context.spec.has_queue:
        waiting = [metrics.visible(context, "queue"), metrics.in_flight(context)]
        dead = metrics.visible(context, "dead_letter_queue")
        graphs += [
            _graph("Videos waiting, in work and failed", [*waiting, dead], "Maximum"),
            _graph("Age of the oldest video, in seconds", [metrics.oldest(context)], "Maximum")
            | _line(longest_wait(context.spec), "alarm"),
        ]
    if context.spec.has_endpoint:
        answers = [metrics.of_endpoint(context, f"HTTPCode_Target_{code}_Count") for code in ("2XX", "5XX")]
        seconds = metrics.of_endpoint(context, "TargetResponseTime")
        graphs += [
            _graph("Healthy workers behind the endpoint", [metrics.healthy_targets(context)], "Minimum"),
            _graph("Answers of the endpoint", answers, "Sum"),
            _graph("Time to an answer, in seconds (p95)", [seconds], "p95"),
        ]
    return [*graphs, _graph("Share of what was reserved", [metrics.cpu(context), metrics.memory(context)])]


def _graph(title: str, lines: list[Metric], statistic: str = "Average") -> dict[str, Any]:
    return {
        "title": title,
        "metrics": [line.listed() for line in lines],
        "stat": statistic,
        "period": 60,
        "region": settings().aws_region,
        "view": "timeSeries",
    }


def _line(value: int, label: str) -> dict[str, Any]:
    """A horizontal line across a graph (CloudWatch, dashboard body structure)."""
    return {"annotations": {"horizontal": [{"value": value, "label": label}]}}
