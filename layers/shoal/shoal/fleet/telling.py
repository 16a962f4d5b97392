"""What the reconciler tells people by mail."""

from __future__ import annotations

from shoal import jobs, notify
from shoal.deployments import Deployment
from shoal.fleet.spending import Spending
from shoal.settings import settings


def budget(deployment: Deployment, spent: Spending) -> None:
    """That its budget stopped it; once for each budget."""
    waiting = jobs.recovery.unfinished(deployment.name)
    environment = settings().shoal_environment
    notify.once.send(
        deployment,
        f"BUDGET#{deployment.first_revision}#{spent.stopped_at:g}",
        lambda: notify.budget.compose(deployment, environment, spent.usd, waiting),
    )
