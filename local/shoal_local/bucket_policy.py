"""Bucket policies with their conditions: moto ignores them, so "deny without TLS" would deny everything."""

from __future__ import annotations

import json
from typing import Any

from shoal_local.iam_policy import decide, statements
from shoal_local.patches import contract

_PERMISSION = contract("moto.s3.models", "FakeBucket.get_permission", "self action resource")
contract("moto.iam.access_control", "PermissionResult.DENIED")

# Loopback is as private as TLS is on the wire.
_CONTEXT = {"aws:securetransport": ("true",)}


def install() -> None:
    """Evaluate bucket policies here; who may call at all is the identity policies' matter."""

    def get_permission(self: Any, action: str, resource: str) -> Any:
        from moto.iam.access_control import PermissionResult

        if not self.policy:
            return PermissionResult.NEUTRAL
        document = self.policy if isinstance(self.policy, str) else self.policy.decode()
        decision = decide(statements([json.loads(document)]), action, [resource], _CONTEXT)
        if decision.allowed:
            return PermissionResult.PERMITTED
        return PermissionResult.DENIED if decision.why.startswith("explicit") else PermissionResult.NEUTRAL

    _PERMISSION.replace(get_permission)
