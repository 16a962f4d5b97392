"""What exists once on the shared load balancer, claimed by a conditional write before it is used.

``<kind>#<load balancer arn>`` / ``<key>`` holds its owner (a deployment), or ``foreign``: it is not ours to
take. Two claims can never hold one key; a key whose owner is gone is free again.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from shoal import table
from shoal.settings import settings

FOREIGN = "foreign"


@dataclass(frozen=True)
class Claim:
    """One that a deployment holds; ``key`` is a port, a host name or a priority."""

    kind: str
    key: str
    owner: str


@dataclass(frozen=True)
class Claims:
    """The claims of one kind: ``PORT``, ``HOST`` or ``PRIORITY``."""

    kind: str

    def owners(self) -> dict[str, str]:
        """Every claimed key with its owner; strongly consistent."""
        return {str(item["sk"]): str(item["owner"]) for item in table.query(self._partition())}

    def owner(self, key: str) -> str | None:
        item = table.read(self._key(key))
        return str(item["owner"]) if item else None

    def take(self, key: str, deployment: str, generation: int) -> bool:
        """Whether it is the deployment's now; one that is only marked foreign may be taken over.

        Raises:
            StaleWriter: a newer generation owns the deployment.
        """
        item = self._key(key) | {"owner": deployment, "claimed_at": table.now()}
        condition = _owner_is(FOREIGN)
        try:
            table.write_fenced(deployment, generation, {"Put": {"Item": item, **condition}})
        except table.ConditionFailed:
            return False
        return True

    def mark_foreign(self, key: str, deployment: str, generation: int) -> None:
        """Give it up because somebody else holds it on the load balancer."""
        item = self._key(key) | {"owner": FOREIGN, "found_by": deployment, "found_at": table.now()}
        table.write_fenced(deployment, generation, {"Put": {"Item": item}})

    def release(self, key: str, deployment: str) -> None:
        """Free it, unless somebody else holds it by now."""
        try:
            table.write({"Delete": {"Key": self._key(key), **_owner_is(deployment)}})
        except table.ConditionFailed:
            return

    def _partition(self) -> str:
        return f"{self.kind}#{settings().need('load_balancer_arn')}"

    def _key(self, key: str) -> table.Item:
        return {"pk": self._partition(), "sk": key}


def _owner_is(owner: str) -> dict[str, Any]:
    """The condition that nobody but ``owner`` holds it."""
    return {
        "ConditionExpression": "attribute_not_exists(pk) OR #owner = :owner",
        "ExpressionAttributeNames": {"#owner": "owner"},
        "ExpressionAttributeValues": {":owner": owner},
    }


def held() -> list[Claim]:
    """Every claim of every deployment on the shared load balancer."""
    return [
        Claim(kind, key, owner)
        for kind in ("PORT", "HOST", "PRIORITY")
        for key, owner in Claims(kind).owners().items()
        if owner != FOREIGN
    ]


def removal(claim: Claim) -> str:
    """The arguments with which the AWS CLI deletes one, unless somebody else holds it by then."""
    key = json.dumps({"pk": {"S": f"{claim.kind}#{settings().load_balancer_arn}"}, "sk": {"S": claim.key}})
    owner = json.dumps({":owner": {"S": claim.owner}})
    return (
        f"dynamodb delete-item --table-name {settings().deployments_table} --key '{key}' "
        "--condition-expression '#owner = :owner' --expression-attribute-names '{\"#owner\": \"owner\"}' "
        f"--expression-attribute-values '{owner}'"
    )
