"""Every number the model starts from, and where it comes from. No AWS account was used to find them."""

from __future__ import annotations

from dataclasses import dataclass, fields

BASIS = {
    "event": "S3 event, EventBridge, intake function, UpdateService: inferred",
    "metric_lag": "SQS publishes its metrics each minute (SQS guide, CloudWatch metrics)",
    "inactive_lag": "uniform up to this: a queue inactive for six hours (SQS guide, same page)",
    "alarm_action": "from alarm to action: inferred",
    "provider": "CapacityProviderReservation is published each minute, its alarm needs one point (ECS guide)",
    "warmup": "instanceWarmupPeriod, default (ECS API); blocks the second step",
    "boot": "EC2 launch to registered agent with the GPU AMI: 80-120 s reported by users",
    "pull": "6 GB compressed at 25 MB/s: users report 1.5 GB in 60 s (containers-roadmap 696)",
    "baked": "the image is on the AMI: only its first read: inferred",
    "model": "weights from S3, CUDA start, warm-up: inferred",
    "transfer": "5-10 GB at 200 MB/s down, results up; nobody prefetches: inferred",
    "stop": "SIGTERM to stopped task: measured on the worker, at most 5 s",
    "reap": "task stopped event, drain, terminate: inferred",
    "replace": "Auto Scaling notices a lost instance: inferred",
    "failure": "attempts that fail for AWS's or the GPU's reasons: inferred",
    "interruptions": "Spot interruptions an hour of one instance: inferred",
    "ancestor_tail": "after the last video: scale-in alarm of 180 min (deepsea-ai, ecs_task_autoscaling.ts)",
    "ancestor_period": "alarm period, cooldown and warm-up: 5 minutes, one instance a step (same file)",
    "ancestor_visibility": "TimeoutHours 2: when a lost video comes back (same file)",
    "retention": "of a queue without a ledger behind it, the most SQS allows, 14 days (SQS API)",
    "ancestor_retention": "SQS default, 4 days (same file sets none)",
    "provider_tail": "15 points of a minute, then less than half of the instances each minute (ECS guide)",
    "volume": "100 GiB of gp3, USD an hour",
}


@dataclass(frozen=True)
class Inputs:
    """Seconds where no unit is named."""

    event: float = 3
    metric_lag: float = 60
    inactive_lag: float = 900
    alarm_action: float = 10
    provider: float = 90
    warmup: float = 300
    boot: float = 110
    pull: float = 240
    baked: float = 25
    model: float = 20
    transfer: float = 40
    stop: float = 5
    reap: float = 5
    replace: float = 60
    failure: float = 0.005
    interruptions: float = 0.03
    retention: float = 14 * 86_400
    ancestor_tail: float = 10_800
    ancestor_period: float = 300
    ancestor_visibility: float = 7_200
    ancestor_retention: float = 4 * 86_400
    provider_tail: float = 960
    volume: float = 0.011

    def table(self) -> list[tuple[str, str, str]]:
        """Name, value, basis of each."""
        return [(one.name, f"{getattr(self, one.name):g}", BASIS[one.name]) for one in fields(self)]


@dataclass(frozen=True)
class Machine:
    """An instance type: frames a second end to end (a planning value, not measured here), USD an hour."""

    name: str
    frames_per_second: float
    on_demand: float
    spot: float


MACHINES = (
    Machine("g4dn.xlarge", 30, 0.526, 0.22),
    Machine("g5.xlarge", 75, 1.006, 0.54),
    Machine("g6.xlarge", 60, 0.8048, 0.39),
)
VIDEO_FRAMES = 3600 * 30
FLEETS = {1: 1, 10: 10, 1_000: 50, 100_000: 150}
"""Videos submitted together, and the fleet size allowed for them."""
