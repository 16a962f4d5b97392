"""What a fleet has cost so far, and whether its budget has stopped it.

An estimate: the instances that each pass sees, the time since the pass before, list prices on demand
(:mod:`shoal.deployments.prices`) with the root volume. Of two passes the larger fleet counts, so that it is
high rather than low. It begins when the deployment is READY, and goes on over revisions.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from shoal import table
from shoal.contracts.deployment import DeploymentSpec
from shoal.deployments import Deployment, prices
from shoal.settings import settings

_PASS_SECONDS = 60.0
"""What an instance may have run unseen that was not there in the pass before."""


@dataclass(frozen=True)
class Spending:
    """``workers`` were there when it was read last (ISO 8601, or empty), more than its videos need since
    ``idle_since``. ``stopped_at`` is the budget that
    stopped the fleet, in USD; it is over when the specification has another one."""

    usd: float = 0.0
    workers: int = 0
    read_at: str = ""
    idle_since: str = ""
    stopped_at: float | None = None


def key_of(deployment: Deployment) -> table.Item:
    """One for each life of a name: a deployment that was deleted does not charge the next one."""
    pk = table.deployment_key(deployment.name)
    return {"pk": pk, "sk": f"SPENDING#{deployment.first_revision:06d}"}


def price_of(spec: DeploymentSpec) -> float | None:
    """USD an hour of one worker, of several types the dearest, Spot as on demand; None where the price of one
    is not known."""
    if spec.compute == "fargate-cpu":
        return prices.fargate_task(spec.cpu, spec.memory_mib)
    instance = prices.dearest(spec.every_instance_type)
    return None if instance is None else instance + prices.volume(spec.root_volume_gib)


def recall(deployment: Deployment) -> Spending:
    """What was counted so far."""
    item = table.read(key_of(deployment)) or {}
    return Spending(
        usd=float(item.get("usd", 0)),
        workers=int(item.get("workers", 0)),
        read_at=str(item.get("read_at", "")),
        idle_since=str(item.get("idle_since", "")),
        stopped_at=item.get("stopped_at"),
    )


def count(deployment: Deployment, workers: int, idle: bool = False) -> Spending:
    """Add what the fleet cost since the last pass; of two passes at once one counts.

    ``idle``: there are instances that no video needs.
    """
    seen = recall(deployment)
    if not workers and not seen.workers:
        return seen
    cost = max(workers, seen.workers) * _hours_since(seen) * (price_of(deployment.spec) or 0.0)
    usd = Decimal(str(round(seen.usd + cost, 6)))
    now = table.now()
    since = (seen.idle_since or now) if idle else ""
    fields = {"usd": usd, "workers": workers, "read_at": now, "idle_since": since}
    condition = "read_at = :seen" if seen.read_at else "attribute_not_exists(read_at)"
    expected = {":seen": seen.read_at} if seen.read_at else None
    with contextlib.suppress(table.ConditionFailed):
        table.write(table.update(key_of(deployment), fields, condition, expected))
    return recall(deployment)


def idle_seconds(known: Spending) -> float:
    """For how long there have been instances that no video needs, on the cloud's clock."""
    return _seconds_since(known.idle_since) if known.idle_since else 0.0


def is_stopped(deployment: Deployment, spending: Spending) -> bool:
    """Whether the budget of this specification has stopped it; another budget lets it go on."""
    return spending.stopped_at is not None and spending.stopped_at == deployment.spec.budget_usd


def stop(deployment: Deployment) -> None:
    """Remember that the budget stops it: until there is another one no video starts."""
    fields = {"stopped_at": Decimal(str(deployment.spec.budget_usd))}
    table.write(table.update(key_of(deployment), fields))


def _hours_since(seen: Spending) -> float:
    if not seen.read_at:
        return _PASS_SECONDS / 3600
    seconds = _seconds_since(seen.read_at)
    return (seconds if seen.workers else min(seconds, _PASS_SECONDS)) / 3600


def _seconds_since(time: str) -> float:
    passed = datetime.fromisoformat(table.now()) - datetime.fromisoformat(time)
    return max(0.0, passed.total_seconds()) * settings().clock_speed
