"""One decision of IAM: do these policy documents allow this action on these resources in this context?

The order is AWS's: an explicit Deny wins, then any Allow, then the implicit Deny (IAM User Guide, "Policy
evaluation logic"). Identity policies only: resource policies, boundaries and organisations are not evaluated.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Context = Mapping[str, tuple[str, ...]]
"""Condition keys in lower case, each with its values."""

Grant = tuple[int, str, str]
"""(number of the Allow statement, its action pattern, its resource pattern)."""


@dataclass(frozen=True)
class Decision:
    """``sole``: statement and action of each grant without which this would have been denied."""

    allowed: bool
    grants: frozenset[Grant]
    why: str
    sole: frozenset[tuple[str, str]] = frozenset()


def listed(value: Any) -> list[Any]:
    """IAM lets one item stand for a list of one."""
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple) else [value]


def statements(documents: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Every statement of the documents, in order; its index is its number in a :data:`Grant`."""
    return [dict(statement) for document in documents for statement in listed(document.get("Statement"))]


@functools.lru_cache(maxsize=4096)
def _pattern(pattern: str) -> re.Pattern[str]:
    parts = {"*": ".*", "?": "."}
    return re.compile("".join(parts.get(character, re.escape(character)) for character in pattern), re.DOTALL)


def matches(pattern: str, value: str) -> bool:
    """IAM's wildcards: ``*`` any run of characters, ``?`` one."""
    return _pattern(pattern).fullmatch(value) is not None


def decide(policy: list[dict[str, Any]], action: str, resources: Iterable[str], context: Context) -> Decision:
    """Allowed only if every resource is allowed and none is denied."""
    used, sole = set[Grant](), set[tuple[str, str]]()
    for resource in resources:
        verdict = _decide_one(policy, action, resource, context)
        if not verdict.allowed:
            return verdict
        used |= verdict.grants
        sole |= verdict.sole
    return Decision(True, frozenset(used), "allowed", frozenset(sole))


def _decide_one(policy: list[dict[str, Any]], action: str, resource: str, context: Context) -> Decision:
    grants: set[Grant] = set()
    for number, statement in enumerate(policy):
        hits = [(number, a, r) for a in _actions(statement, action) for r in _resources(statement, resource)]
        if not hits or not conditions_met(statement.get("Condition") or {}, context):
            continue
        if statement.get("Effect") == "Deny":
            return Decision(False, frozenset(), f"explicit deny in statement {statement.get('Sid', number)}")
        grants.update(hits)
    if grants:
        ways = {(number, pattern) for number, pattern, _ in grants}
        named = frozenset((str(policy[number].get("Sid", "")), pattern) for number, pattern in ways)
        return Decision(True, frozenset(grants), "allowed", named if len(ways) == 1 else frozenset())
    return Decision(False, frozenset(), "no identity-based policy allows it")


def _actions(statement: Mapping[str, Any], action: str) -> list[str]:
    if "NotAction" in statement:
        excluded = any(matches(p.lower(), action.lower()) for p in listed(statement["NotAction"]))
        return [] if excluded else ["NotAction"]
    return [p for p in listed(statement.get("Action")) if matches(p.lower(), action.lower())]


def _resources(statement: Mapping[str, Any], resource: str) -> list[str]:
    if "NotResource" in statement:
        excluded = any(matches(p, resource) for p in listed(statement["NotResource"]))
        return [] if excluded else ["NotResource"]
    return [p for p in listed(statement.get("Resource")) if matches(p, resource)]


def conditions_met(conditions: Mapping[str, Mapping[str, Any]], context: Context) -> bool:
    """All operators and keys must hold; a missing key fails, but for ``IfExists``, negations, ``Null``."""
    return all(
        _holds(operator, context.get(key.lower()), [str(item) for item in listed(wanted)])
        for operator, keys in conditions.items()
        for key, wanted in keys.items()
    )


def _holds(operator: str, values: tuple[str, ...] | None, wanted: list[str]) -> bool:
    quantifier, _, bare = operator.rpartition(":")
    optional = bare.endswith("IfExists")
    base = bare.removesuffix("IfExists")
    if base == "Null":
        return (values is None) == (wanted[0].lower() == "true")
    if not values:
        return optional or quantifier == "ForAllValues" or "Not" in base
    test = _TESTS.get(base.replace("Not", "", 1))
    if test is None:
        raise NotImplementedError(
            f"shoal_local.iam_policy does not know the condition operator {operator}: add it"
        )
    negated = "Not" in base
    results = [any(test(want, value) for want in wanted) != negated for value in values]
    return all(results) if quantifier == "ForAllValues" or negated else any(results)


_TESTS: dict[str, Callable[[str, str], bool]] = {
    "StringEquals": lambda want, value: want == value,
    "StringEqualsIgnoreCase": lambda want, value: want.lower() == value.lower(),
    "StringLike": matches,
    "ArnEquals": matches,
    "ArnLike": matches,
    "Bool": lambda want, value: want.lower() == value.lower(),
    "NumericLessThanEquals": lambda want, value: float(value) <= float(want),
    "NumericEquals": lambda want, value: float(value) == float(want),
}
