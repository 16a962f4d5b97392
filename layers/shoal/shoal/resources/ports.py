"""Listener ports, claimed by a conditional write before a listener is made.

``PORT#<load balancer arn>`` / ``<port>`` holds its owner, or ``foreign`` (a listener that is not ours).
Two claims can never hold one port; a port whose owner is gone is free again.
"""

from __future__ import annotations

from collections.abc import Mapping

from shoal import table
from shoal.errors import NoCapacity
from shoal.settings import settings

FOREIGN = "foreign"


def owned(deployment: str) -> list[int]:
    """The ports a deployment holds, lowest first; more than one only after a retry that overlapped."""
    return sorted(port for port, owner in _owners().items() if owner == deployment)


def claim(deployment: str, generation: int) -> int:
    """The port of this deployment: the one it holds, or else the lowest free one.

    Raises:
        NoCapacity: every port is taken.
        StaleWriter: a newer generation owns the deployment.
    """
    owners = _owners()
    held = sorted(port for port, owner in owners.items() if owner == deployment)
    if held:
        return held[0]
    for port in settings().ports():
        if port not in owners and _take(port, deployment, generation):
            return port
    raise NoCapacity(_exhausted(owners))


def mark_foreign(port: int, deployment: str, generation: int) -> None:
    """Give up a port because somebody else's listener holds it."""
    item = _key(port) | {"owner": FOREIGN, "found_by": deployment, "found_at": table.now()}
    table.write_fenced(deployment, generation, {"Put": {"Item": item}})


def release(port: int, deployment: str) -> None:
    """Free a port, unless somebody else holds it by now."""
    condition = {
        "ConditionExpression": "attribute_not_exists(pk) OR #owner = :owner",
        "ExpressionAttributeNames": {"#owner": "owner"},
        "ExpressionAttributeValues": {":owner": deployment},
    }
    try:
        table.write({"Delete": {"Key": _key(port), **condition}})
    except table.ConditionFailed:
        return


def _owners() -> dict[int, str]:
    return {int(item["sk"]): str(item["owner"]) for item in table.query(_partition())}


def _take(port: int, deployment: str, generation: int) -> bool:
    item = _key(port) | {"owner": deployment, "claimed_at": table.now()}
    put = {"Put": {"Item": item, "ConditionExpression": "attribute_not_exists(pk)"}}
    try:
        table.write_fenced(deployment, generation, put)
    except table.ConditionFailed:
        return False
    return True


def _exhausted(owners: Mapping[int, str]) -> str:
    ports = settings().ports()
    foreign = sorted(port for port in ports if owners.get(port) == FOREIGN)
    return (
        f"every port of {ports.start}-{ports.stop - 1} is taken ({len(foreign)} by foreign listeners: "
        f"{foreign}): delete a deployment, or widen ListenerPorts"
    )


def _partition() -> str:
    return f"PORT#{settings().need('load_balancer_arn')}"


def _key(port: int) -> table.Item:
    return {"pk": _partition(), "sk": str(port)}
