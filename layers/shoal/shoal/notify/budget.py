"""The mail that a budget has stopped a fleet."""

from __future__ import annotations

from shoal.deployments import Deployment
from shoal.notify.parts import Mail, Part, rendered
from shoal.notify.safe import header

_STOPPED = (
    "Its budget is reached: no further video starts. Those in work are finished; the others wait, and none "
    "is lost."
)


def compose(deployment: Deployment, environment: str, usd: float, waiting: int) -> Mail:
    """``usd`` is the estimate of what was spent, ``waiting`` how many videos are not done."""
    name, budget = deployment.name, deployment.spec.budget_usd or 0.0
    subject = header(f"[shoal {environment}] {name}: stopped at {budget:g} USD")
    facts = [
        ("deployment", f"{name}, revision {deployment.revision}"),
        ("comment", deployment.spec.comment),
        ("budget", f"{budget:g} USD"),
        ("spent", f"about {usd:.2f} USD: instance hours at list prices since it was READY"),
        ("not done", f"{waiting} videos"),
    ]
    return rendered(
        subject,
        [
            Part(_STOPPED),
            Part(facts=[fact for fact in facts if fact[1]]),
            Part("To go on, raise budget_usd in its file (or leave it out), then:"),
            Part(command=f"shoal update {name}.yaml"),
        ],
    )
