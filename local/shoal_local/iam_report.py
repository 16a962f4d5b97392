"""The record of IAM's decisions, and what it says about each role: too little, too much, too wide."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from shoal_local.iam_policy import Decision, listed, statements

Documents = list[dict[str, Any]]


class Ledger:
    """Every decision, counted; every grant that allowed something. Thread safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._denied: Counter[tuple[str, str, str, str]] = Counter()
        self._allowed: Counter[tuple[str, str]] = Counter()
        self._used: set[tuple[str, str, str]] = set()
        self._sole: set[tuple[str, str, str]] = set()

    def add(
        self, role: str, action: str, resources: Iterable[str], decision: Decision, optional: bool = False
    ) -> None:
        """``optional``: a denial of it would not be recorded, so it makes no grant necessary."""
        with self._lock:
            if not decision.allowed:
                self._denied[(role, action, " ".join(resources), decision.why)] += 1
                return
            self._allowed[(role, action)] += 1
            self._used |= {(role, pattern, resource) for _, pattern, resource in decision.grants}
            if not optional:
                self._sole |= {(role, statement, pattern) for statement, pattern in decision.sole}

    def clear(self) -> None:
        with self._lock:
            self._denied.clear()
            self._allowed.clear()
            self._used.clear()
            self._sole.clear()

    def report(self, roles: Mapping[str, Documents]) -> dict[str, Any]:
        """``{role: {"denied", "unused", "spare", "wildcards", "allowed"}}``, also for a role gone by now.

        ``spare``: grants that no call depended on alone, so that taking one away would deny nothing.
        """
        with self._lock:
            names = sorted(
                set(roles) | {role for role, *_ in self._denied} | {role for role, _ in self._allowed}
            )
            return {name: self._of(name, statements(roles.get(name, []))) for name in names}

    def _of(self, role: str, policy: list[dict[str, Any]]) -> dict[str, Any]:
        denied = [
            {"action": action, "resource": resource, "why": why, "times": times}
            for (owner, action, resource, why), times in sorted(self._denied.items())
            if owner == role
        ]
        allowed = {action: times for (owner, action), times in sorted(self._allowed.items()) if owner == role}
        used = {(action, resource) for owner, action, resource in self._used if owner == role}
        sole = {(statement, action) for owner, statement, action in self._sole if owner == role}
        grants = [statement for statement in policy if statement.get("Effect") == "Allow"]
        return {
            "denied": denied,
            "unused": [item for statement in grants for item in _unused(statement, used)],
            "spare": [item for statement in grants for item in _spare(statement, sole)],
            "wildcards": [item for statement in grants for item in _wildcards(statement)],
            "allowed": allowed,
        }


def _unused(statement: Mapping[str, Any], used: set[tuple[str, str]]) -> list[dict[str, str]]:
    """An action used on none of the statement's resources; a resource that none was used on."""
    sid = str(statement.get("Sid", ""))
    actions, resources = listed(statement.get("Action")), listed(statement.get("Resource"))
    idle_actions = [a for a in actions if not any((a, r) in used for r in resources)]
    idle_resources = [r for r in resources if not any((a, r) in used for a in actions)]
    if len(idle_actions) == len(actions):
        return [{"statement": sid, "action": action} for action in idle_actions]
    return [{"statement": sid, "action": action} for action in idle_actions] + [
        {"statement": sid, "resource": resource} for resource in idle_resources
    ]


def _spare(statement: Mapping[str, Any], sole: set[tuple[str, str]]) -> list[dict[str, str]]:
    """Each action of the statement that no call was allowed by alone."""
    sid = str(statement.get("Sid", ""))
    actions = listed(statement.get("Action"))
    return [{"statement": sid, "action": action} for action in actions if (sid, action) not in sole]


def _wildcards(statement: Mapping[str, Any]) -> list[dict[str, str]]:
    """Grants on every resource: each action named, so that a list of reasons can be checked against it."""
    if "*" not in listed(statement.get("Resource")):
        return []
    sid = str(statement.get("Sid", ""))
    return [{"statement": sid, "action": action} for action in listed(statement.get("Action"))]
