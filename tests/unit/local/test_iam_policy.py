"""The evaluator against the rules of the IAM User Guide, as tables."""

from __future__ import annotations

from typing import Any

import pytest
from shoal_local.iam_policy import conditions_met, decide, matches, statements
from shoal_local.iam_report import Ledger

TABLE = "arn:aws:dynamodb:us-west-2:123456789012:table/jobs"
ALLOW = {"Sid": "Read", "Effect": "Allow", "Action": "dynamodb:GetItem", "Resource": TABLE}
ELSEWHERE = {"StringEquals": {"aws:RequestedRegion": "eu-west-1"}}
DENY = {"Sid": "Never", "Effect": "Deny", "Action": "dynamodb:*", "Resource": "*"}


@pytest.mark.parametrize(
    ("policy", "action", "resource", "allowed"),
    [
        ([], "dynamodb:GetItem", TABLE, False),
        ([ALLOW], "dynamodb:GetItem", TABLE, True),
        ([ALLOW], "dynamodb:getitem", TABLE, True),
        ([ALLOW], "dynamodb:PutItem", TABLE, False),
        ([ALLOW], "dynamodb:GetItem", TABLE + "2", False),
        ([ALLOW], "dynamodb:GetItem", "*", False),
        ([ALLOW, DENY], "dynamodb:GetItem", TABLE, False),
        ([{**ALLOW, "Action": ["s3:*", "dynamodb:Get*"]}], "dynamodb:GetItem", TABLE, True),
        ([{**ALLOW, "Resource": "arn:aws:dynamodb:*:*:table/j?bs"}], "dynamodb:GetItem", TABLE, True),
        ([{"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}], "dynamodb:GetItem", TABLE, True),
        ([{"Effect": "Allow", "NotAction": "dynamodb:*", "Resource": "*"}], "dynamodb:GetItem", TABLE, False),
        ([{"Effect": "Allow", "Action": "*", "NotResource": TABLE}], "dynamodb:GetItem", TABLE, False),
        ([{**ALLOW, "Condition": ELSEWHERE}], "dynamodb:GetItem", TABLE, False),
    ],
)
def test_one_decision(policy: list[dict[str, Any]], action: str, resource: str, allowed: bool) -> None:
    context = {"aws:requestedregion": ("us-west-2",)}
    assert decide(policy, action, [resource], context).allowed is allowed


def test_every_resource_must_be_allowed() -> None:
    assert not decide([ALLOW], "dynamodb:GetItem", [TABLE, TABLE + "2"], {}).allowed


def test_a_denial_names_its_statement() -> None:
    assert "Never" in decide([ALLOW, DENY], "dynamodb:GetItem", [TABLE], {}).why


@pytest.mark.parametrize(
    ("condition", "met"),
    [
        ({"StringEquals": {"aws:RequestTag/env": "prod"}}, True),
        ({"StringEquals": {"aws:RequestTag/env": ["dev", "prod"]}}, True),
        ({"StringEquals": {"aws:RequestTag/env": "dev"}}, False),
        ({"StringEquals": {"aws:RequestTag/other": "prod"}}, False),
        ({"StringEqualsIfExists": {"aws:RequestTag/other": "prod"}}, True),
        ({"StringNotEquals": {"aws:RequestTag/env": "dev"}}, True),
        ({"StringNotEquals": {"aws:RequestTag/env": ["dev", "prod"]}}, False),
        ({"StringNotEquals": {"aws:RequestTag/other": "dev"}}, True),
        ({"StringLike": {"aws:RequestTag/env": "pr*"}}, True),
        ({"ArnLike": {"ecs:cluster": "arn:aws:ecs:*:*:cluster/shoal-*"}}, True),
        ({"ForAllValues:StringEquals": {"aws:TagKeys": ["env", "team"]}}, True),
        ({"ForAllValues:StringEquals": {"aws:TagKeys": ["env"]}}, False),
        ({"ForAllValues:StringLike": {"dynamodb:LeadingKeys": "DEPLOYMENT#*"}}, True),
        ({"ForAnyValue:StringEquals": {"aws:TagKeys": ["env"]}}, True),
        ({"ForAnyValue:StringEquals": {"aws:TagKeys": ["cost"]}}, False),
        ({"Bool": {"aws:SecureTransport": "false"}}, False),
        ({"Bool": {"aws:SecureTransport": "true"}}, True),
        ({"Null": {"aws:RequestTag/other": "true"}}, True),
        ({"Null": {"aws:RequestTag/env": "true"}}, False),
        ({"StringEquals": {"aws:RequestTag/env": "prod"}, "Null": {"aws:TagKeys": "true"}}, False),
    ],
)
def test_conditions(condition: dict[str, Any], met: bool) -> None:
    context = {
        "aws:requesttag/env": ("prod",),
        "aws:tagkeys": ("env", "team"),
        "ecs:cluster": ("arn:aws:ecs:us-west-2:123456789012:cluster/shoal-prod-reef",),
        "aws:securetransport": ("true",),
    }
    assert conditions_met(condition, context) is met


def test_an_unknown_operator_is_loud() -> None:
    with pytest.raises(NotImplementedError, match="IpAddress"):
        conditions_met({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}, {"aws:sourceip": ("10.0.0.1",)})


@pytest.mark.parametrize(
    ("pattern", "value", "hit"),
    [
        ("a*c", "abbc", True),
        ("a?c", "abc", True),
        ("a?c", "ac", False),
        ("a.c", "abc", False),
        ("*", "", True),
    ],
)
def test_wildcards(pattern: str, value: str, hit: bool) -> None:
    assert matches(pattern, value) is hit


def test_the_report_names_what_was_denied_unused_and_wide() -> None:
    # Given
    wide = {"Sid": "Wide", "Effect": "Allow", "Action": ["ecs:ListTasks", "ecs:StopTask"], "Resource": "*"}
    both = {
        **ALLOW,
        "Action": ["dynamodb:GetItem", "dynamodb:PutItem"],
        "Resource": [TABLE, TABLE + "/index/x"],
    }
    document = {"Statement": [both, wide]}
    ledger = Ledger()
    # When
    for action, resource in (
        ("dynamodb:GetItem", TABLE),
        ("ecs:ListTasks", "*"),
        ("s3:GetObject", "arn:aws:s3:::b/k"),
    ):
        ledger.add("role", action, [resource], decide(statements([document]), action, [resource], {}))
    report = ledger.report({"role": [document]})["role"]
    # Then
    assert [item["action"] for item in report["denied"]] == ["s3:GetObject"]
    assert report["unused"] == [
        {"statement": "Read", "action": "dynamodb:PutItem"},
        {"statement": "Read", "resource": TABLE + "/index/x"},
        {"statement": "Wide", "action": "ecs:StopTask"},
    ]
    assert [item["action"] for item in report["wildcards"]] == ["ecs:ListTasks", "ecs:StopTask"]
    assert report["allowed"] == {"dynamodb:GetItem": 1, "ecs:ListTasks": 1}


@pytest.mark.parametrize(
    ("others", "optional", "spare"),
    [
        ([], False, []),
        ([], True, ["dynamodb:GetItem"]),
        (["dynamodb:GetItem"], False, ["dynamodb:GetItem", "dynamodb:GetItem"]),
        (["dynamodb:Get*"], False, ["dynamodb:GetItem", "dynamodb:Get*"]),
        (["dynamodb:PutItem"], False, ["dynamodb:PutItem"]),
    ],
    ids=["alone", "may be denied", "granted twice", "granted more widely", "another is idle"],
)
def test_a_grant_is_spare_where_no_call_depends_on_it_alone(
    others: list[str], optional: bool, spare: list[str]
) -> None:
    # Given
    policy = [{**ALLOW, "Action": ["dynamodb:GetItem"], "Resource": [TABLE]}]
    policy += [{"Sid": "Other", "Effect": "Allow", "Action": others, "Resource": "*"}] if others else []
    document, ledger = {"Statement": policy}, Ledger()
    # When
    decision = decide(statements([document]), "dynamodb:GetItem", [TABLE], {})
    ledger.add("role", "dynamodb:GetItem", [TABLE], decision, optional)
    # Then
    assert [one["action"] for one in ledger.report({"role": [document]})["role"]["spare"]] == spare
