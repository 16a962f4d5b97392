"""A mail that is sent once: claimed by a conditional write before, marked as sent after.

A pass that dies in between is followed by another one when its claim has run out: late, not lost. Twice it
comes only where the function died between SES's answer and the mark.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from shoal import table
from shoal.deployments import Deployment
from shoal.errors import ShoalError
from shoal.notify.parts import Mail
from shoal.notify.send import deliver
from shoal.telemetry import logger

CLAIM_SECONDS = 300
ATTEMPTS = 5
"""What SES refused five times it refuses; the log says why."""
_KEPT_SECONDS = 90 * 86_400
_CLAIM = "SET claimed_until = :until, expires_at = :expires ADD attempts :one"
_FREE = (
    "attribute_not_exists(pk) OR "
    "(attribute_not_exists(sent_at) AND claimed_until < :now AND attempts < :most)"
)


def send(deployment: Deployment, what: str, compose: Callable[[], Mail]) -> bool:
    """Mail ``what`` unless it was mailed before; whether nothing is left to do about it."""
    key = {"pk": table.deployment_key(deployment.name), "sk": f"MAIL#{what}"}
    known = table.read(key) or {}
    if known.get("sent_at") or known.get("attempts", 0) >= ATTEMPTS:
        return True
    if not _claimed(key):
        return False
    try:
        deliver(deployment, compose)
    except ShoalError:
        logger().exception("not mailed", extra={"deployment": deployment.name})
        return False
    table.write(table.update(key, {"sent_at": table.now()}))
    return True


def _claimed(key: table.Item) -> bool:
    now = int(time.time())
    values = {
        ":now": now, ":until": now + CLAIM_SECONDS, ":expires": now + _KEPT_SECONDS,
        ":one": 1, ":most": ATTEMPTS,
    }  # fmt: skip
    update = {"UpdateExpression": _CLAIM, "ConditionExpression": _FREE, "ExpressionAttributeValues": values}
    try:
        table.write({"Update": {"Key": key, **update}})
    except table.ConditionFailed:
        return False
    return True
