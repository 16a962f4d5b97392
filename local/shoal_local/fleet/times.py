"""How long the simulated fleet takes, in seconds of the cloud's clock unless a name says real."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class FleetTimes:
    """Shorter than AWS's (aws reference, section 9: boot 80-150, pull up to 240), in the same order."""

    scaling_delay: float = 30.0
    """Managed scaling notices waiting tasks with its next metric."""
    boot: float = 60.0
    """From launch to a registered container instance."""
    fargate_start: float = 30.0
    idle_scale_in: float = 900.0
    """15 datapoints of a minute (containers-roadmap issue 1220)."""
    launch_retry: float = 30.0
    """Auto Scaling tries again after a failed launch."""
    backoff_first: float = 10.0
    backoff_most: float = 900.0
    """Service throttle logic: up to 15 minutes between attempts."""
    settle: float = 30.0
    real_settle: float = 5.0
    """A task has to live this long, really, before a rollout without health checks counts it."""
    real_grace: float = 20.0
    """The health check grace period lasts at least this long, really (and never longer than it was asked
    for): behind it a real process imports and loads a model."""
    real_notice: float = 20.0
    """A Spot notice comes at least this long before the end, really: a function is called, a process ends."""
    real_tick: float = 0.05
