"""The tags of a resource that exists, for ``aws:ResourceTag/<key>`` in a condition."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shoal_local.names import backend
from shoal_local.patches import contract
from shoal_local.strict.elbv2_tags import exists

contract("moto.elbv2.models", "ELBv2Backend.describe_tags", "self resource_arns")
contract("moto.ec2.models.tags", "TagBackend.describe_tags", "self filters")

_BACKEND = {"elasticloadbalancing": "elbv2", "states": "stepfunctions"}


def mentions_resource_tags(policy: list[dict[str, Any]]) -> bool:
    """Whether any condition asks for them: only then is the resource looked up."""
    keys = (key for one in policy for block in (one.get("Condition") or {}).values() for key in block)
    return any("resourcetag/" in key.lower() for key in keys)


def tag_context(arn: str) -> Mapping[str, tuple[str, ...]]:
    """``aws:resourcetag/<key>`` of a resource; nothing for one that is not there or has no tags."""
    parts = arn.split(":")
    tags = _tags(parts[2], arn) if len(parts) > 5 else {}
    return {f"aws:resourcetag/{key.lower()}": (value,) for key, value in tags.items()}


def _tags(service: str, arn: str) -> dict[str, str]:
    if service == "elasticloadbalancing":
        balancing = backend("elbv2")
        return dict(balancing.describe_tags([arn])[arn]) if exists(balancing, arn) else {}
    if service == "ec2":
        found = backend("ec2").describe_tags({"resource-id": [arn.rsplit("/", 1)[-1]]})
        return {tag["key"]: tag["value"] for tag in found}
    holder = backend(_BACKEND.get(service, service))
    for resource in getattr(holder, "iter_tagged_resources", lambda: ())():
        if resource.arn == arn:
            return dict(resource.tags)
    return {}
