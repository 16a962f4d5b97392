"""Least privilege in the translated template: no wildcard that docs/permissions.md does not explain."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

LOGGING_ROLE = "ApiGatewayLoggingRole"
Statement = dict[str, Any]


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def statements(template: dict[str, Any]) -> Iterator[tuple[str, Statement]]:
    """Every statement of every identity policy, with the logical id it stands in."""
    for name, resource in template["Resources"].items():
        properties = resource["Properties"]
        documents = [policy["PolicyDocument"] for policy in properties.get("Policies", [])]
        if resource["Type"] == "AWS::IAM::ManagedPolicy":
            documents.append(properties["PolicyDocument"])
        for document in documents:
            yield from ((name, statement) for statement in document["Statement"])


def table(root: Path, heading: str) -> list[str]:
    """The first column of the table under a heading of docs/permissions.md, which must give a reason each."""
    section = (root / "docs/permissions.md").read_text().split(f"## {heading}")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `([^`]+)` \| (.+) \|$", section, re.MULTILINE)
    assert all(reason.strip() for _, reason in rows)
    return [name for name, _ in rows]


def test_every_wildcard_resource_has_its_reason(translated: dict[str, Any], root: Path) -> None:
    # Given
    explained = table(root, "Grants on every resource")
    # When
    wild = {
        action
        for _, statement in statements(translated)
        if "*" in listed(statement["Resource"])
        for action in listed(statement["Action"])
    }
    # Then the list is neither too short nor too long
    assert sorted(explained) == sorted(wild)


def test_no_action_is_a_wildcard(translated: dict[str, Any]) -> None:
    actions = [action for _, s in statements(translated) for action in listed(s["Action"])]
    assert len(actions) > 150
    assert [action for action in actions if "*" in action] == []


def test_every_statement_that_stays_unused_exists(translated: dict[str, Any], root: Path) -> None:
    names = {statement["Sid"] for _, statement in statements(translated)}
    assert set(table(root, "Grants that no call")) - names == set()


def test_statements_are_named_once_in_each_policy(translated: dict[str, Any]) -> None:
    names = [(owner, statement["Sid"]) for owner, statement in statements(translated)]
    assert len(names) == len(set(names))


def test_a_role_is_passed_to_one_service_only(translated: dict[str, Any]) -> None:
    passing = [s for _, s in statements(translated) if "iam:PassRole" in listed(s["Action"])]
    assert len(passing) == 2
    for statement in passing:
        assert list(statement["Condition"]["StringEquals"]) == ["iam:PassedToService"]
        assert all("Fn::GetAtt" in resource for resource in listed(statement["Resource"]))


def test_every_function_has_a_role_of_its_own(source: dict[str, Any]) -> None:
    roles = [
        resource["Properties"]["Role"]["Fn::GetAtt"][0]
        for resource in source["Resources"].values()
        if resource["Type"] in {"AWS::Serverless::Function", "AWS::Serverless::StateMachine"}
    ]
    assert len(roles) == len(set(roles)) == 15


def test_sam_adds_no_policy_of_aws(translated: dict[str, Any]) -> None:
    attached = {
        name: [
            policy
            for policy in resource["Properties"].get("ManagedPolicyArns", [])
            if "aws:policy" in str(policy)
        ]
        for name, resource in translated["Resources"].items()
        if resource["Type"] == "AWS::IAM::Role"
    }
    assert [name for name, policies in attached.items() if policies] == [LOGGING_ROLE]


@pytest.mark.parametrize(
    "action",
    ["ec2:DeleteLaunchTemplate", "ec2:TerminateInstances", "elasticloadbalancing:DeleteListener"],
)
def test_what_has_no_name_of_ours_goes_by_its_tag(translated: dict[str, Any], action: str) -> None:
    found = [s for _, s in statements(translated) if action in listed(s["Action"])]
    assert len(found) == 1
    assert "aws:ResourceTag/shoal:environment" in found[0]["Condition"]["StringEquals"]


@pytest.mark.parametrize("service", ["sqs", "ecs", "logs", "autoscaling"])
def test_names_are_scoped_to_the_environment(translated: dict[str, Any], service: str) -> None:
    # Given every ARN that is written out for this service
    resources = [
        str(resource)
        for _, statement in statements(translated)
        for resource in listed(statement["Resource"])
        if f":{service}:" in str(resource)
    ]
    # When / Then
    assert resources
    assert [resource for resource in resources if "shoal-${Environment}-" not in resource] == []
