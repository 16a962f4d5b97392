"""The health of one target: a state machine over the outcomes of its checks. Pure.

ELB guide, "Health checks for Application Load Balancer target groups": one pass makes a new target
healthy; an unhealthy one needs the healthy threshold in a row, and any target is unhealthy after the
unhealthy threshold in a row.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

_INITIAL = ("Elb.InitialHealthChecking", "Initial health checks in progress")


@dataclass(frozen=True)
class Check:
    """How a target group checks. ``port`` 0 is the traffic port; times in seconds."""

    path: str = "/"
    codes: str = "200"
    interval: float = 30.0
    timeout: float = 5.0
    healthy_after: int = 5
    unhealthy_after: int = 2
    port: int = 0


def check_of(group: Any) -> Check:
    """The check of moto's target group."""
    port = str(group.health_check_port or "traffic-port")
    return Check(
        path=group.health_check_path or "/",
        codes=str((getattr(group, "matcher", None) or {}).get("HttpCode", "200")),
        interval=float(group.health_check_interval_seconds),
        timeout=float(group.health_check_timeout_seconds),
        healthy_after=int(group.healthy_threshold_count),
        unhealthy_after=int(group.unhealthy_threshold_count),
        port=int(port) if port.isdigit() else 0,
    )


@dataclass(frozen=True)
class Outcome:
    """What one check found: a status code, or why there was none (``timeout``, ``refused``)."""

    status: int | None = None
    trouble: str = ""


@dataclass(frozen=True)
class Health:
    state: str = "initial"
    reason: str = _INITIAL[0]
    description: str = _INITIAL[1]
    passes: int = 0
    failures: int = 0

    def told(self) -> dict[str, str]:
        """As ELBv2's TargetHealth."""
        told = {"State": self.state, "Reason": self.reason, "Description": self.description}
        return {name: value for name, value in told.items() if value}


def matches(codes: str, status: int) -> bool:
    """Whether a status is in ``200``, ``200,302`` or ``200-399`` (ELBv2 API Matcher)."""
    for part in codes.split(","):
        low, _, high = part.partition("-")
        if int(low) <= status <= int(high or low):
            return True
    return False


def after(health: Health, check: Check, outcome: Outcome) -> Health:
    """The health after one more check."""
    if outcome.status is not None and matches(check.codes, outcome.status):
        passes = health.passes + 1
        needed = 1 if health.state == "initial" else check.healthy_after
        if health.state == "healthy" or passes >= needed:
            return Health("healthy", "", "", passes, 0)
        return replace(health, passes=passes, failures=0)
    failures = health.failures + 1
    if health.state != "unhealthy" and failures < check.unhealthy_after:
        return replace(health, passes=0, failures=failures)
    return Health("unhealthy", *_why(outcome), passes=0, failures=failures)


def _why(outcome: Outcome) -> tuple[str, str]:
    if outcome.status is not None:
        return "Target.ResponseCodeMismatch", f"Health checks failed with these codes: [{outcome.status}]"
    if outcome.trouble == "timeout":
        return "Target.Timeout", "Request timed out"
    return "Target.FailedHealthChecks", "Health checks failed"
