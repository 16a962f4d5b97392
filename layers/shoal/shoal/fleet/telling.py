"""What the reconciler tells people by mail."""

from __future__ import annotations

import functools

from shoal import jobs, notify
from shoal.deployments import Deployment
from shoal.fleet.spending import Spending
from shoal.jobs.dives import Dive
from shoal.notify import Mail
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


def dives(deployment: Deployment) -> None:
    """How each dive that is over went; once, unless videos come to it again."""
    for dive, opened_at in jobs.dives.ended(deployment.name, deployment.spec.every_instance_type):
        what = f"DIVE#{dive.job_name}#{dive.submitted}#{opened_at}"
        if notify.once.send(deployment, what, functools.partial(_of_dive, deployment, dive)):
            jobs.dives.close(deployment.name, dive)


def _of_dive(deployment: Deployment, dive: Dive) -> Mail:
    failed = jobs.dives.failures(deployment.name, dive.job_name, notify.dive.FAILURES) if dive.failed else []
    return notify.dive.compose(
        deployment, dive, failed, settings().shoal_environment, settings().need("data_bucket")
    )
