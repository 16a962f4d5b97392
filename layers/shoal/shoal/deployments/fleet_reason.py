"""What keeps the fleet of a READY deployment from its work: told beside the deployment's own reason."""

from __future__ import annotations

from shoal import table
from shoal.deployments.model import Deployment
from shoal.deployments.state import update_owned
from shoal.errors import StaleWriter

_ACTOR = "fleet_reconciler"
_LONGEST = 1000


def tell(deployment: Deployment, reason: str) -> bool:
    """Write the reason, with an event, where it is another one than before; an empty one ends it.

    False where nothing was to be told, or a newer generation owns the deployment.
    """
    reason = reason[:_LONGEST]
    if reason == deployment.fleet_reason:
        return False
    status, said = ("WAITING", reason) if reason else (str(deployment.status), "its fleet works again")
    event = table.event(deployment.name, _ACTOR, status, said)
    try:
        update_owned(deployment.name, deployment.generation, {"fleet_reason": reason or None}, event)
    except StaleWriter:
        return False
    return True
