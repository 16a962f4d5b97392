"""What a failed execution leaves is undone: by the table's status, never by the input of the step."""

from __future__ import annotations

from shoal.contracts.status import DeploymentStatus
from shoal.deployments import halting, store, teardown, update_rollback
from shoal.deployments.steps import StepInput
from shoal.deployments.teardown import Pass
from shoal.resources.kind import waiting

_UPDATED = frozenset({DeploymentStatus.UPDATING, DeploymentStatus.UPDATE_ROLLING_BACK})
_STARTED = frozenset({DeploymentStatus.STARTING, DeploymentStatus.STOPPING, DeploymentStatus.STOPPED})


def run_pass(payload: StepInput, actor: str) -> Pass:
    """One pass: an update returns to the good revision, a start to nothing running, a deployment to nothing.

    Raises:
        StaleWriter: a newer generation owns the deployment.
        Conflict: it is READY, which no rollback may take away.
    """
    deployment = store.owned(payload.deployment, payload.generation)
    if deployment.status in _UPDATED:
        return teardown.summary(update_rollback.run(deployment))
    if deployment.status in _STARTED:
        return teardown.summary(
            {f"fleet {n}": waiting(line) for n, line in enumerate(halting.halt(deployment, actor))}
        )
    return teardown.run_pass(payload, actor)
