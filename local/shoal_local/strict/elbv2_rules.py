"""Rules of an ALB's listeners: priorities, quotas."""

from __future__ import annotations

from typing import Any

from shoal_local.strict.elbv2_listeners import balancer_of_listener, check_groups, group_arns
from shoal_local.strict.engine import Call, before, refused

MAXIMUM_RULES = 100
MAXIMUM_GROUPS = 100
"""Quotas of one Application Load Balancer (ELB guide, "Quotas for your Application Load Balancers"): rules
without the defaults; target groups, which AWS does not raise."""
_PRIORITIES = (1, 50_000)


@before("elbv2", "CreateRule")
def rules_are_limited(call: Call) -> None:
    """ELBv2 API CreateRule: TooManyRules at 100 per load balancer without the defaults; ListenerNotFound;
    TargetGroupAssociationLimit."""
    balancer = balancer_of_listener(call, call.get("ListenerArn"))
    check_groups(call, call.get("Actions", []), balancer.arn)
    used = sum(len(listener.rules) - 1 for listener in balancer.listeners.values())
    if used >= MAXIMUM_RULES:
        raise refused("TooManyRules", f"The maximum number of rules ({MAXIMUM_RULES}) has been reached")


@before("elbv2", "CreateRule")
def rule_priority_is_in_range(call: Call) -> None:
    """ELBv2 API CreateRule, Priority: 1 to 50000."""
    low, high = _PRIORITIES
    if not low <= int(call.get("Priority", 0)) <= high:
        raise refused("ValidationError", f"Priority must be between {low} and {high}")


@before("elbv2", "CreateListener", "CreateRule")
def groups_of_a_balancer_are_limited(call: Call) -> None:
    """ELBv2 API CreateRule: TooManyUniqueTargetGroupsPerLoadBalancer at 100."""
    arn = call.get("LoadBalancerArn")
    balancers = call.backend("elbv2").load_balancers
    balancer = balancers.get(arn) if arn else balancer_of_listener(call, call.get("ListenerArn"))
    if balancer is None:
        return
    wanted = group_arns(call.get("DefaultActions", []) or call.get("Actions", []))
    if wanted and len(_groups_of(balancer) | wanted) > MAXIMUM_GROUPS:
        message = f"The maximum number of unique target groups ({MAXIMUM_GROUPS}) has been reached"
        raise refused("TooManyUniqueTargetGroupsPerLoadBalancer", message)


def _groups_of(balancer: Any) -> set[str]:
    rules = [rule for listener in balancer.listeners.values() for rule in listener.rules.values()]
    return {arn for rule in rules for arn in group_arns([action.data for action in rule.actions])}


@before("elbv2", "DeleteRule")
def deleted_rule_exists(call: Call) -> None:
    """ELBv2 API DeleteRule: RuleNotFound; the default rule goes with its listener (OperationNotPermitted)."""
    listeners = [it for b in call.backend("elbv2").load_balancers.values() for it in b.listeners.values()]
    rules = [rule for listener in listeners for rule in listener.rules.values()]
    found = next((rule for rule in rules if rule.arn == call.get("RuleArn")), None)
    if found is None:
        raise refused("RuleNotFound", f"One or more rules not found: {call.get('RuleArn')}")
    if found.is_default:
        raise refused("OperationNotPermitted", "Default rule cannot be deleted")
