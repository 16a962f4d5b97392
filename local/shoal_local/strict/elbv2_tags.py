"""Tags of load balancing resources go with what they are on."""

from __future__ import annotations

from typing import Any

from shoal_local.strict.engine import Call, before, refused

_NOT_FOUND = {
    ":targetgroup/": "TargetGroupNotFound",
    ":listener-rule/": "RuleNotFound",
    ":listener/": "ListenerNotFound",
    ":loadbalancer/": "LoadBalancerNotFound",
}


def exists(backend: Any, arn: str) -> bool:
    """Whether moto's load balancing backend holds what ``arn`` names."""
    balancers = backend.load_balancers
    listeners = {it.arn: it for balancer in balancers.values() for it in balancer.listeners.values()}
    rules = (rule.arn for listener in listeners.values() for rule in listener.rules.values())
    return arn in balancers or arn in backend.target_groups or arn in listeners or arn in set(rules)


@before("elbv2", "DescribeTags")
def tagged_things_exist(call: Call) -> None:
    """ELBv2 API DescribeTags: LoadBalancerNotFound, ListenerNotFound, RuleNotFound, TargetGroupNotFound; at
    most 20 resources."""
    arns = call.get("ResourceArns", [])
    if len(arns) > 20:
        raise refused("ValidationError", "Up to 20 resources can be described at a time")
    for arn in arns:
        if not exists(call.backend("elbv2"), arn):
            code = next((code for part, code in _NOT_FOUND.items() if part in arn), "ValidationError")
            raise refused(code, f"'{arn}' not found")
