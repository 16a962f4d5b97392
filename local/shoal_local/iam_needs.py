"""Which IAM permissions a call needs: one rule per service, one need per permission and resource.

The names follow AWS's Service Authorization Reference; an action without a resource level needs ``*``. A call
that has no rule is refused loudly: no permission is granted because nobody thought of it.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from shoal_local.errors import UnknownAction
from shoal_local.names import ACCOUNT, REGION
from shoal_local.wire import Call

ANY = ("*",)
_MODULES = (
    "iam_needs_compute",
    "iam_needs_network",
    "iam_needs_data",
    "iam_needs_messages",
    "iam_needs_control",
)


@dataclass(frozen=True)
class Need:
    """``action`` on every one of ``resources``; ``context`` holds condition keys in lower case.

    The call goes on without an ``optional`` one: AWS uses the permission if it is there.
    """

    action: str
    resources: tuple[str, ...] = ANY
    context: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    optional: bool = False


Rule = Callable[[Call], list[Need]]
_RULES: dict[str, Rule] = {}


def rule(*services: str) -> Callable[[Rule], Rule]:
    """Register the rule of a service (botocore's names)."""

    def register(function: Rule) -> Rule:
        _RULES.update(dict.fromkeys(services, function))
        return function

    return register


def needs_of(call: Call) -> list[Need]:
    """Every permission the call needs, each with its context.

    Raises:
        UnknownAction: no rule names this operation.
    """
    if not _RULES:
        for module in _MODULES:
            importlib.import_module(f"shoal_local.{module}")
    if call.service not in _RULES:
        raise UnknownAction(f"add a rule for the service {call.service} to shoal_local/iam_needs_*.py")
    common = {"aws:requestedregion": (call.caller.region or REGION,), **tag_context(call.parameters)}
    return [replace(need, context={**common, **need.context}) for need in _RULES[call.service](call)]


def unknown(call: Call) -> UnknownAction:
    """What a rule raises for an operation it does not name."""
    return UnknownAction(f"add {call.operation} of {call.service} to its rule in shoal_local/iam_needs_*.py")


def tags_in(parameters: Mapping[str, Any]) -> dict[str, str]:
    """The tags of a request, in any of the spellings AWS uses."""
    found: dict[str, str] = {}
    for key in ("Tags", "tags"):
        value = parameters.get(key)
        if isinstance(value, Mapping):
            found.update({str(k): str(v) for k, v in value.items()})
        for tag in value if isinstance(value, list) else []:
            found[str(tag.get("Key", tag.get("key")))] = str(tag.get("Value", tag.get("value", "")))
    for specification in parameters.get("TagSpecifications") or []:
        found.update(tags_in(specification))
    return found


def tag_context(parameters: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """``aws:RequestTag/*`` and ``aws:TagKeys``."""
    tags = tags_in(parameters)
    context: dict[str, tuple[str, ...]] = {f"aws:requesttag/{k.lower()}": (v,) for k, v in tags.items()}
    return {**context, "aws:tagkeys": tuple(tags)} if tags else context


def pass_role(role_arn: str | None, service: str) -> list[Need]:
    """``iam:PassRole`` for a role handed to ``service`` (``ecs-tasks.amazonaws.com``)."""
    if not role_arn:
        return []
    return [Need("iam:PassRole", (role_arn,), {"iam:passedtoservice": (service,)})]


def linked_role(service: str) -> Need:
    """A service's own role is made on its first use, in the caller's name; AWS goes on without it."""
    resource = f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/{service}/*"
    return Need("iam:CreateServiceLinkedRole", (resource,), {"iam:awsservicename": (service,)}, optional=True)
