"""What is on the shared load balancer, whoever made it: listeners, rules, their tags, and its limits."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from shoal.aws import client, code_of, domain_errors
from shoal.errors import Denied, NoCapacity
from shoal.resources.kind import GONE, Answer, Entry, Scope, plain_tags
from shoal.settings import settings

_ABSENT = frozenset({"ListenerNotFound", "RuleNotFound", "TargetGroupNotFound"})
_TAGS_A_CALL = 20
"""DescribeTags takes at most 20 resources."""

_GROUPS = "deploy into a system with another load balancer, or delete a deployment"
TARGET_GROUP_LIMITS = {
    "TooManyTargetGroups": f"the account holds as many target groups as AWS allows (3,000): {_GROUPS}",
    "TooManyUniqueTargetGroupsPerLoadBalancer": "the load balancer holds as many target groups as AWS "
    f"allows (100, never more): {_GROUPS}",
}
"""Neither routing helps against these (ELB guide, "Quotas for your Application Load Balancers")."""


def listeners() -> list[dict[str, Any]]:
    """Every listener of the load balancer."""
    arn = settings().need("load_balancer_arn")
    with domain_errors("list the listeners"):
        pages = client("elbv2").get_paginator("describe_listeners").paginate(LoadBalancerArn=arn)
        return [listener for page in pages for listener in page["Listeners"]]


def rules() -> list[dict[str, Any]]:
    """Every rule of the shared HTTPS listener but its default; none where there is no such listener."""
    arn = settings().https_listener_arn
    if not arn:
        return []
    with domain_errors("list the rules of the shared listener", absent=_ABSENT):
        pages = client("elbv2").get_paginator("describe_rules").paginate(ListenerArn=arn)
        return [rule for page in pages for rule in page["Rules"] if not rule["IsDefault"]]
    return []


def owned(scope: Scope, arns: list[str]) -> tuple[str, dict[str, str]] | None:
    """Which of these, that have no name, carries the tags of this deployment; with its tags."""
    arns = sorted(arns)
    for start in range(0, len(arns), _TAGS_A_CALL):
        for arn, tags in tags_of(arns[start : start + _TAGS_A_CALL]).items():
            if scope.owns(tags):
                return arn, tags
    return None


def tags_of(arns: list[str]) -> dict[str, dict[str, str]]:
    """The tags of at most 20 resources; one that is gone meanwhile is left out, and hides no other."""
    found = _tags(arns)
    if found is None and len(arns) > 1:
        return {arn: tags for one in arns for arn, tags in tags_of([one]).items()}
    return found or {}


def unmake(entry: Entry, delete: Callable[[], Any], exists: Callable[[], Any]) -> Answer:
    """Delete what may be deleted only while it carries our tag.

    The role's condition on the tag cannot hold for what is gone: AWS may deny the second call where it would
    answer "not found". So the pass that confirms, and a denied call, ask by ARN: only "not found" counts.
    """
    if entry.gone and _is_gone(entry, exists):
        return GONE
    try:
        with domain_errors(f"delete the {entry.kind} of {entry.name}", absent=_ABSENT):
            delete()
    except Denied:
        if not _is_gone(entry, exists):
            raise
    return GONE


def _is_gone(entry: Entry, exists: Callable[[], Any]) -> bool:
    with domain_errors(f"look for the {entry.kind} of {entry.name}", absent=_ABSENT):
        exists()
        return False
    return True


@contextmanager
def within_limits(advice: Mapping[str, str]) -> Iterator[None]:
    """Answers AWS's quota codes with the way out; stands inside ``domain_errors``.

    Raises:
        NoCapacity: a code of ``advice``, with its words.
    """
    from botocore.exceptions import ClientError

    try:
        yield
    except ClientError as error:
        if code_of(error) in advice:
            raise NoCapacity(advice[code_of(error)]) from error
        raise


def other_routing() -> str:
    """What a person can do when no further listener fits."""
    if settings().https_listener_arn:
        return "deploy with routing: host, which shares one listener"
    return "set the stack's CertificateArn and deploy with routing: host, which shares one listener"


def _tags(arns: list[str]) -> dict[str, dict[str, str]] | None:
    """None where AWS refuses the whole call because one of them is gone."""
    with domain_errors("read tags of the load balancer", absent=_ABSENT):
        told = client("elbv2").describe_tags(ResourceArns=arns)["TagDescriptions"]
        return {one["ResourceArn"]: plain_tags(one["Tags"]) for one in told}
    return None
