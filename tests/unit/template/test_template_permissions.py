"""Least privilege in the translated template: no wildcard that docs/permissions.md does not explain."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from permissions_page import unexplained, unused_on_purpose, wildcards

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


def test_every_wildcard_resource_has_its_reason(translated: dict[str, Any]) -> None:
    # When
    wild = {
        action
        for _, statement in statements(translated)
        if "*" in listed(statement["Resource"])
        for action in listed(statement["Action"])
    }
    # Then the list is neither too short nor too long
    assert sorted(wildcards()) == sorted(wild)


def test_no_action_is_a_wildcard(translated: dict[str, Any]) -> None:
    actions = [action for _, s in statements(translated) for action in listed(s["Action"])]
    assert len(actions) > 150
    assert [action for action in actions if "*" in action] == []


def test_every_grant_that_stays_unused_exists(translated: dict[str, Any]) -> None:
    # Given
    granted = {s["Sid"] for _, s in statements(translated)}
    granted |= {f"{s['Sid']}: {action}" for _, s in statements(translated) for action in listed(s["Action"])}
    # Then
    assert unused_on_purpose()
    assert set(unused_on_purpose()) - granted == set()


def test_what_the_page_does_not_explain_is_found() -> None:
    # Given
    report = {
        "R": {
            "unused": [
                {"statement": "WriteLogs", "action": "logs:PutLogEvents"},
                {"statement": "Queues", "action": "sqs:ListQueueTags"},
                {"statement": "Queues", "action": "sqs:DeleteQueue"},
                {"statement": "Videos", "resource": "arn:aws:s3:::b/videos/*"},
            ]
        }
    }
    # When / Then
    assert unexplained(report) == ["R Queues: sqs:DeleteQueue", "R Videos: arn:aws:s3:::b/videos/*"]


def test_statements_are_named_once_in_each_policy(translated: dict[str, Any]) -> None:
    names = [(owner, statement["Sid"]) for owner, statement in statements(translated)]
    assert len(names) == len(set(names))


def test_a_role_is_passed_to_one_service_only(translated: dict[str, Any]) -> None:
    passing = [s for _, s in statements(translated) if "iam:PassRole" in listed(s["Action"])]
    assert len(passing) == 3
    for statement in passing:
        assert list(statement["Condition"]["StringEquals"]) == ["iam:PassedToService"]
        assert all("Fn::GetAtt" in resource for resource in listed(statement["Resource"]))


def test_every_function_has_a_role_of_its_own(source: dict[str, Any]) -> None:
    roles = [
        resource["Properties"]["Role"]["Fn::GetAtt"][0]
        for resource in source["Resources"].values()
        if resource["Type"] in {"AWS::Serverless::Function", "AWS::Serverless::StateMachine"}
    ]
    assert len(roles) == len(set(roles)) >= 15


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
    [
        "ec2:DeleteLaunchTemplate",
        "ec2:TerminateInstances",
        "elasticloadbalancing:DeleteListener",
        "elasticloadbalancing:DeleteRule",
    ],
)
def test_what_has_no_name_of_ours_goes_by_its_tag(translated: dict[str, Any], action: str) -> None:
    found = [s for _, s in statements(translated) if action in listed(s["Action"])]
    assert len(found) == 1
    assert "aws:ResourceTag/shoal:environment" in found[0]["Condition"]["StringEquals"]


@pytest.mark.parametrize("service", ["sqs", "ecs", "logs", "autoscaling", "cloudwatch"])
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
