"""The health state machine and the routing of a load balancer, without a network."""

from __future__ import annotations

from typing import Any

import pytest
from shoal_local.balancer.health import Check, Health, Outcome, after, matches
from shoal_local.balancer.routing import Asked, Rule, Table, Target, action_for, group_of, target_of

CHECK = Check(healthy_after=3, unhealthy_after=2)
GOOD, BAD = Outcome(status=200), Outcome(status=500)


@pytest.mark.parametrize(
    ("outcomes", "state", "reason"),
    [
        ([], "initial", "Elb.InitialHealthChecking"),
        ([GOOD], "healthy", ""),
        ([BAD], "initial", "Elb.InitialHealthChecking"),
        ([BAD, BAD], "unhealthy", "Target.ResponseCodeMismatch"),
        ([GOOD, BAD], "healthy", ""),
        ([GOOD, BAD, GOOD, BAD], "healthy", ""),
        ([GOOD, BAD, BAD], "unhealthy", "Target.ResponseCodeMismatch"),
        ([BAD, BAD, GOOD, GOOD], "unhealthy", "Target.ResponseCodeMismatch"),
        ([BAD, BAD, GOOD, GOOD, GOOD], "healthy", ""),
        ([Outcome(trouble="timeout")] * 2, "unhealthy", "Target.Timeout"),
        ([Outcome(trouble="refused")] * 2, "unhealthy", "Target.FailedHealthChecks"),
    ],
)
def test_health_follows_the_thresholds(outcomes: list[Outcome], state: str, reason: str) -> None:
    health = Health()
    for outcome in outcomes:
        health = after(health, CHECK, outcome)
    assert (health.state, health.reason) == (state, reason)


def test_an_unhealthy_target_says_which_code_it_gave() -> None:
    health = after(after(Health(), CHECK, BAD), CHECK, BAD)
    assert health.told()["Description"] == "Health checks failed with these codes: [500]"
    assert "Reason" not in Health("healthy", "", "").told()


@pytest.mark.parametrize(
    ("codes", "status", "expected"),
    [
        ("200", 200, True),
        ("200", 204, False),
        ("200,302", 302, True),
        ("200-399", 399, True),
        ("200-399", 400, False),
    ],
)
def test_a_matcher_knows_lists_and_ranges(codes: str, status: int, expected: bool) -> None:
    assert matches(codes, status) is expected


def asked(**given: Any) -> Asked:
    return Asked(
        **{
            "method": "GET",
            "host": "Reef.example.org",
            "path": "/predict",
            "query": "a=1",
            "headers": {"x-f": "v"},
            **given,
        }
    )


def rule(priority: int, *conditions: dict[str, Any]) -> Rule:
    return Rule(priority, conditions, ({"Type": "forward", "TargetGroupArn": str(priority)},))


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ({"Field": "host-header", "HostHeaderConfig": {"Values": ["reef.*"]}}, True),
        ({"Field": "host-header", "Values": ["other.example.org"]}, False),
        ({"Field": "path-pattern", "PathPatternConfig": {"Values": ["/pre*"]}}, True),
        ({"Field": "path-pattern", "Values": ["/PREDICT"]}, False),
        ({"Field": "http-request-method", "HttpRequestMethodConfig": {"Values": ["POST"]}}, False),
        ({"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": "X-F", "Values": ["V"]}}, True),
        ({"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": "X-G", "Values": ["*"]}}, False),
        ({"Field": "query-string", "QueryStringConfig": {"Values": [{"Key": "a", "Value": "1"}]}}, True),
        ({"Field": "query-string", "QueryStringConfig": {"Values": [{"Value": "2"}]}}, False),
        ({"Field": "source-ip"}, False),
    ],
)
def test_conditions_match_as_the_load_balancer_matches(condition: dict[str, Any], holds: bool) -> None:
    # Given a rule with the condition before the default one
    table = Table((rule(10**9), rule(1, condition)))
    # When / Then
    action = action_for(table, asked())
    assert action is not None
    assert action["TargetGroupArn"] == ("1" if holds else str(10**9))


def test_the_lowest_priority_wins_and_no_rule_is_no_action() -> None:
    found = action_for(Table((rule(7), rule(2), rule(5))), asked())
    assert found is not None
    assert found["TargetGroupArn"] == "2"
    assert action_for(Table(), asked()) is None


def test_weights_share_the_requests() -> None:
    groups = [{"TargetGroupArn": "a", "Weight": 3}, {"TargetGroupArn": "b", "Weight": 1}]
    action = {"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}
    assert [group_of(action, turn) for turn in range(4)] == ["a", "a", "a", "b"]


def test_only_healthy_targets_get_requests_in_turn() -> None:
    targets = tuple(Target("i", port, port, "healthy" if port % 2 else "unhealthy") for port in range(1, 5))
    table = Table(groups={"g": targets})
    chosen = [target_of(table, "g", turn) for turn in range(3)]
    assert [target.port if target else None for target in chosen] == [1, 3, 1]
    assert target_of(table, "none", 0) is None
