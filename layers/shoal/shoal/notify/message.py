"""What an e-mail about a deployment says."""

from __future__ import annotations

from shoal.contracts.leftover import cost_in_words, total
from shoal.contracts.status import DeploymentStatus
from shoal.deployments import Deployment
from shoal.notify.parts import Mail, Part, rendered
from shoal.notify.safe import header

_S = DeploymentStatus
_HAPPENED = {
    _S.READY: "It is ready and serves.",
    _S.FAILED: "The deployment failed and was rolled back; nothing is left of it.",
    _S.ROLLBACK_FAILED: "The deployment failed, and something could not be removed.",
    _S.UPDATE_ROLLBACK_FAILED: "The update failed, and the revision before could not be brought back wholly.",
    _S.STOPPING: "It could not be started; its fleet goes to nothing again, and its jobs wait.",
    _S.STOPPED: "It could not be started; its fleet is at nothing again, and its jobs wait.",
    _S.DELETED: "It was deleted; a sweep by name and tag found nothing left.",
    _S.DELETE_INCOMPLETE: "The deletion ended, and something could not be removed.",
}


_UNDONE = "The update failed. The revision before serves as it did, and nothing is left of the failed one."


def compose(deployment: Deployment, outcome: DeploymentStatus, environment: str) -> Mail:
    """The mail for an outcome; after a rollback or deletion that left something, with each and its cost."""
    end = _end(deployment, outcome)
    undone = outcome is _S.FAILED and end is _S.READY
    what = f"{deployment.name}: the update failed, revision {deployment.revision} serves"
    subject = header(f"[shoal {environment}] {what if undone else f'{deployment.name} is {end}'}")
    parts = [
        Part(_UNDONE if undone else _HAPPENED.get(end, f"It is {end}.")),
        Part(facts=_facts(deployment, end)),
        *(_how_to_use(deployment) if end is _S.READY and not undone else []),
        *(_how_to_mend(deployment, _S.FAILED if undone else end)),
    ]
    return rendered(subject, parts)


def _end(deployment: Deployment, outcome: DeploymentStatus) -> DeploymentStatus:
    """A failed update or start ends where the table says: the deployment itself is not lost."""
    failed = outcome in {_S.FAILED, _S.ROLLBACK_FAILED}
    return deployment.status if failed and deployment.status.is_kept() else outcome


def _facts(deployment: Deployment, outcome: DeploymentStatus) -> list[tuple[str, str]]:
    spec, ready = deployment.spec, outcome is _S.READY
    version = f" version {spec.model_version}" if spec.model_version else ""
    registered = f"{spec.registered_model}{version}, " if spec.registered_model else ""
    facts = [
        ("deployment", f"{deployment.name}, revision {deployment.revision}"),
        ("comment", spec.comment),
        ("reason", deployment.reason),
        ("model", f"{registered}{spec.model_location or ''}"),
        ("endpoint", deployment.endpoint or "" if ready else ""),
        ("queue", deployment.queue_url or "" if ready else ""),
    ]
    adjusted = [
        ("adjusted", f"{one.field}: {one.given} became {one.used}, because {one.reason}")
        for one in deployment.adjustments
    ]
    return [fact for fact in facts + adjusted if fact[1]]


def _how_to_use(deployment: Deployment) -> list[Part]:
    parts: list[Part] = []
    if deployment.endpoint:
        url = deployment.endpoint.rstrip("/")
        parts += [
            Part("Ask the endpoint for one picture:"),
            Part(command=f"curl -F image=@frame.png {url}/predict"),
        ]
    if deployment.queue_url:
        command = f"shoal process dive.mp4 --deployment {deployment.name}"
        parts += [Part("Track a video, or a folder of them:"), Part(command=command)]
    return parts


def _how_to_mend(deployment: Deployment, outcome: DeploymentStatus) -> list[Part]:
    if outcome in {_S.ROLLBACK_FAILED, _S.DELETE_INCOMPLETE}:
        left = deployment.leftovers
        facts = [fact for one in left for fact in (("left", one.in_words()), ("what to do", one.advice))]
        cost = cost_in_words(total([one.usd_per_hour for one in left]))
        return [
            Part(f"What is left costs {cost}.", facts),
            Part("Remove the cause, then:"),
            Part(command=f"shoal delete {deployment.name}"),
        ]
    if outcome is _S.UPDATE_ROLLBACK_FAILED:
        advice = "Remove the cause, then go back to a revision that was READY:"
        return [Part(advice), Part(command=f"shoal rollback {deployment.name}")]
    if outcome is _S.FAILED:
        return [Part("Mend what the reason names, then deploy it again.")]
    return []
