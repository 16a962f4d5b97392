"""A function's resource policy: which service may invoke it, on behalf of what."""

from __future__ import annotations

from typing import Any

from shoal_local.iam_policy import conditions_met, listed
from shoal_local.patches import contract

contract("moto.awslambda.policy", "Policy.__init__", "self parent")


def may_invoke(function: Any, service: str, source_arn: str) -> bool:
    """Whether ``service`` may invoke it on behalf of ``source_arn`` (see AWS::Lambda::Permission)."""
    context = {"aws:sourcearn": (source_arn,), "aws:sourceaccount": (source_arn.split(":")[4],)}
    for statement in function.policy.statements:
        principal = statement.get("Principal") or {}
        names = listed(principal.get("Service")) if isinstance(principal, dict) else [principal]
        if service in names and conditions_met(statement.get("Condition") or {}, context):
            return True
    return False
