"""The metrics of a deployment, as CloudWatch spells them; alarms and the dashboard show the same ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from shoal.resources.kind import Context
from shoal.settings import settings


@dataclass(frozen=True)
class Metric:
    """One metric; ``dimensions`` in the order a dashboard lists them."""

    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...]

    def listed(self) -> list[str]:
        """As a dashboard's widget names it."""
        return [self.namespace, self.name, *(part for pair in self.dimensions for part in pair)]

    def named(self) -> dict[str, Any]:
        """As an alarm names it."""
        dimensions = [{"Name": name, "Value": value} for name, value in self.dimensions]
        return {"Namespace": self.namespace, "MetricName": self.name, "Dimensions": dimensions}


def single(metric: Metric, statistic: str, period: int) -> dict[str, Any]:
    """An alarm over one metric; ``period`` in seconds."""
    return {**metric.named(), "Statistic": statistic, "Period": period}


def query(identity: str, metric: Metric, statistic: str) -> dict[str, Any]:
    """One input of an alarm over an expression, minute by minute."""
    stat = {"Metric": metric.named(), "Period": 60, "Stat": statistic}
    return {"Id": identity, "MetricStat": stat, "ReturnData": False}


def visible(context: Context, queue: str) -> Metric:
    """How many messages wait in ``queue`` (a kind)."""
    return _of_queue(context, queue, "ApproximateNumberOfMessagesVisible")


def in_flight(context: Context) -> Metric:
    """How many videos a worker holds."""
    return _of_queue(context, "queue", "ApproximateNumberOfMessagesNotVisible")


def oldest(context: Context) -> Metric:
    """Seconds since the oldest video was sent."""
    return _of_queue(context, "queue", "ApproximateAgeOfOldestMessage")


def running_tasks(context: Context) -> Metric:
    """How many workers run (Container Insights, which the cluster has on)."""
    return Metric("ECS/ContainerInsights", "RunningTaskCount", _service(context))


def cpu(context: Context) -> Metric:
    """Percent of the CPU that the workers reserved."""
    return Metric("AWS/ECS", "CPUUtilization", _service(context))


def memory(context: Context) -> Metric:
    """Percent of the memory that the workers reserved."""
    return Metric("AWS/ECS", "MemoryUtilization", _service(context))


def healthy_targets(context: Context) -> Metric:
    """How many workers the load balancer sends requests to."""
    return of_endpoint(context, "HealthyHostCount")


def of_endpoint(context: Context, name: str) -> Metric:
    """A metric of the target group on our load balancer; both are named by the ends of their ARNs."""
    group = context.arn("target_group").rsplit(":", 1)[1]
    balancer = settings().need("load_balancer_arn").split(":loadbalancer/", 1)[1]
    return Metric("AWS/ApplicationELB", name, (("TargetGroup", group), ("LoadBalancer", balancer)))


def _of_queue(context: Context, kind: str, name: str) -> Metric:
    return Metric("AWS/SQS", name, (("QueueName", context.made[kind].name),))


def _service(context: Context) -> tuple[tuple[str, str], ...]:
    return (("ClusterName", context.made["cluster"].name), ("ServiceName", context.made["service"].name))
