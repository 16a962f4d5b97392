"""Which rule of a listener takes a request, and which target gets it. Pure."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl


@dataclass(frozen=True)
class Target:
    """``local_port`` is where it really listens on this machine."""

    identity: str
    port: int
    local_port: int
    state: str


@dataclass(frozen=True)
class Rule:
    """``priority`` orders; the default rule comes last."""

    priority: int
    conditions: tuple[dict[str, Any], ...]
    actions: tuple[dict[str, Any], ...]


@dataclass(frozen=True)
class Table:
    """All a listener needs to answer, a copy of moto's state. ``groups``: target group ARN to its targets."""

    rules: tuple[Rule, ...] = ()
    groups: Mapping[str, tuple[Target, ...]] | None = None


@dataclass(frozen=True)
class Asked:
    """A request as conditions see it; header names in lower case."""

    method: str
    host: str
    path: str
    query: str
    headers: Mapping[str, str]
    source: str = "127.0.0.1"


def action_for(table: Table, asked: Asked) -> dict[str, Any] | None:
    """The final action of the first rule whose conditions all hold; None without a rule."""
    for rule in sorted(table.rules, key=lambda each: each.priority):
        if all(_holds(condition, asked) for condition in rule.conditions):
            return rule.actions[-1] if rule.actions else None
    return None


def _holds(condition: Mapping[str, Any], asked: Asked) -> bool:
    """One condition (ELBv2 API RuleCondition); patterns know * and ?, hosts ignore case."""
    field = condition.get("Field")
    if field == "host-header":
        return _any(_values(condition, "HostHeaderConfig"), asked.host.lower(), lower=True)
    if field == "path-pattern":
        return _any(_values(condition, "PathPatternConfig"), asked.path)
    if field == "http-request-method":
        return asked.method in _values(condition, "HttpRequestMethodConfig")
    if field == "http-header":
        config = condition.get("HttpHeaderConfig") or {}
        value = asked.headers.get(str(config.get("HttpHeaderName", "")).lower())
        return value is not None and _any(config.get("Values", []), value.lower(), lower=True)
    if field == "query-string":
        return _query_holds((condition.get("QueryStringConfig") or {}).get("Values", []), asked.query)
    return False


def _values(condition: Mapping[str, Any], config: str) -> Sequence[str]:
    values: Sequence[str] = (condition.get(config) or {}).get("Values") or condition.get("Values") or []
    return values


def _any(patterns: Sequence[str], text: str, lower: bool = False) -> bool:
    return any(fnmatch.fnmatchcase(text, pattern.lower() if lower else pattern) for pattern in patterns)


def _query_holds(wanted: Sequence[Mapping[str, str]], query: str) -> bool:
    given = parse_qsl(query, keep_blank_values=True)
    return any(
        fnmatch.fnmatchcase(value, pair["Value"]) and fnmatch.fnmatchcase(name, pair.get("Key") or "*")
        for pair in wanted
        for name, value in given
    )


def group_of(action: Mapping[str, Any], turn: int) -> str:
    """The target group a forward action sends the ``turn``-th request to, by weight."""
    groups = (action.get("ForwardConfig") or {}).get("TargetGroups") or []
    weighted = [group["TargetGroupArn"] for group in groups for _ in range(int(group.get("Weight", 1)))]
    return str(weighted[turn % len(weighted)] if weighted else action.get("TargetGroupArn", ""))


def target_of(table: Table, group_arn: str, turn: int) -> Target | None:
    """Round robin over the healthy targets of a group; None when there is none."""
    healthy = [target for target in (table.groups or {}).get(group_arn, ()) if target.state == "healthy"]
    return healthy[turn % len(healthy)] if healthy else None
