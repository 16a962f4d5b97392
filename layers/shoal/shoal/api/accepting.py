"""Start the execution that works for a generation, and answer what was taken on."""

from __future__ import annotations

from http import HTTPStatus

from shoal import deployments
from shoal.api.gate import Answer
from shoal.api.model import Accepted
from shoal.deployments import Claim, Deployment, executions


def begin(name: str, claim: Claim) -> Answer:
    """Start the execution of a claim, unless one works on it or nothing is to be done.

    A stop has none, even where the start before it never got as far as its own. Nor is one begun for what is
    READY: where its ARN is not known, only StartExecution's answer was lost.

    Raises:
        StaleWriter: somebody deleted or changed it meanwhile.
    """
    deployment = deployments.at(name, claim.revision, claim.generation)
    waits = not (deployment.status.is_halted() or deployment.status.is_finished())
    forgotten = waits and deployment.execution_arn is None
    if claim.created or forgotten:
        executions.start("deploy", deployment)
        deployments.record_execution(name, claim.generation, executions.arn_of("deploy", deployment))
    return accepted(deployment)


def accepted(deployment: Deployment) -> Answer:
    """200 where nothing works on it, 202 where something does."""
    status = HTTPStatus.OK if deployment.status.is_finished() else HTTPStatus.ACCEPTED
    content = Accepted(
        name=deployment.name,
        status=deployment.status,
        revision=deployment.revision,
        adjustments=deployment.adjustments,
        links=links(deployment),
    )
    return Answer(status, content, f"/deploy/{deployment.name}")


def links(deployment: Deployment) -> dict[str, str]:
    """Paths below the API's root."""
    own = f"/deploy/{deployment.name}"
    jobs = {"jobs": f"{own}/jobs"} if deployment.spec.has_queue else {}
    return {"self": own, "revisions": f"{own}/revisions"} | jobs
