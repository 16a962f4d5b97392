"""Take one grant away from a role, and give it back: the mutation that proves least privilege."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from permissions_page import unused_on_purpose


@dataclass(frozen=True)
class Grant:
    """One action of one statement; ``role`` is empty for a managed policy, with an ARN in ``policy``."""

    role: str
    policy: str
    statement: str
    action: str

    def __str__(self) -> str:
        return f"{self.role or self.policy.rsplit('/', 1)[-1]} {self.statement}: {self.action}"


def grants(iam: Any) -> list[Grant]:
    """Every grant of the stack's own roles and policies that some call in the embedded cloud uses."""
    found = [grant for holder in _holders(iam) for grant in _of(*holder)]
    unused = set(unused_on_purpose())
    return [g for g in found if not unused & {g.statement, f"{g.statement}: {g.action}"}]


def _holders(iam: Any) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for role in iam.list_roles()["Roles"]:
        for name in iam.list_role_policies(RoleName=role["RoleName"])["PolicyNames"]:
            document = iam.get_role_policy(RoleName=role["RoleName"], PolicyName=name)["PolicyDocument"]
            yield role["RoleName"], name, document
    for policy in iam.list_policies(Scope="Local")["Policies"]:
        yield "", policy["Arn"], _current(iam, policy["Arn"])


def _of(role: str, policy: str, document: dict[str, Any]) -> Iterator[Grant]:
    for statement in document["Statement"]:
        for action in _listed(statement["Action"]):
            if statement["Effect"] == "Allow":
                yield Grant(role, policy, str(statement.get("Sid", "")), action)


def idle_actions(report: Mapping[str, Any]) -> set[tuple[str, str, str]]:
    """Role, statement and action of what a run did not use; other end-to-end tests use it."""
    return {
        (role, grant["statement"], grant["action"])
        for role, entry in report.items()
        for grant in entry["unused"]
        if "action" in grant
    }


@contextmanager
def without(iam: Any, grant: Grant) -> Iterator[None]:
    """The account while ``grant`` is missing."""
    if grant.role:
        name = {"RoleName": grant.role, "PolicyName": grant.policy}
        before = iam.get_role_policy(**name)["PolicyDocument"]
        iam.put_role_policy(**name, PolicyDocument=json.dumps(_stripped(before, grant)))
    else:
        before = _current(iam, grant.policy)
        _replace(iam, grant.policy, _stripped(before, grant))
    try:
        yield
    finally:
        if grant.role:
            iam.put_role_policy(**name, PolicyDocument=json.dumps(before))
        else:
            _replace(iam, grant.policy, before)


def _stripped(document: dict[str, Any], grant: Grant) -> dict[str, Any]:
    changed = copy.deepcopy(document)
    for statement in changed["Statement"]:
        if str(statement.get("Sid", "")) == grant.statement:
            statement["Action"] = [one for one in _listed(statement["Action"]) if one != grant.action]
    changed["Statement"] = [statement for statement in changed["Statement"] if statement["Action"]]
    return changed


def _current(iam: Any, arn: str) -> dict[str, Any]:
    version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
    found: dict[str, Any] = iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"][
        "Document"
    ]
    return found


def _replace(iam: Any, arn: str, document: dict[str, Any]) -> None:
    old = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=json.dumps(document), SetAsDefault=True)
    iam.delete_policy_version(PolicyArn=arn, VersionId=old)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
