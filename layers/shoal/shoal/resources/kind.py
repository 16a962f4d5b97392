"""One kind of AWS resource: how it is made, observed and unmade, behind one small protocol."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict

from shoal.aws import domain_errors
from shoal.contracts.deployment import DeploymentSpec
from shoal.contracts.names import resource_name
from shoal.contracts.status import Absence, LedgerState
from shoal.errors import Conflict

OWNER = "shoal"
ENVIRONMENT_TAG = "shoal:environment"
DEPLOYMENT_TAG = "shoal:deployment"
REVISION_TAG = "shoal:revision"
MANAGED_BY_TAG = "shoal:managed-by"


class Entry(BaseModel):
    """A line of the ledger. ``arn`` is empty while PENDING; a launch template keeps its id there.

    ``attempt_until`` (ISO 8601) bounds how long the call that makes it may still be under way; it is cleared
    when the attempt ended. ``gone`` is set by the first pass of a teardown that found it absent.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    kind: str
    order: int
    name: str
    revision: int
    state: LedgerState = LedgerState.PENDING
    arn: str = ""
    extra: dict[str, str] = {}
    attempt_until: str = ""
    gone: bool = False


@dataclass(frozen=True)
class Scope:
    """Whose resources: everything is named and found by these."""

    environment: str
    deployment: str
    spec: DeploymentSpec

    def name(self, suffix: str = "", limit: int = 255) -> str:
        return resource_name(self.environment, self.deployment, suffix, limit)

    def owns(self, tags: Mapping[str, str]) -> bool:
        """Whether the tags say that this deployment made it."""
        return all(tags.get(key) == value for key, value in own_tags(self).items())


def own_tags(scope: Scope) -> dict[str, str]:
    """What says that a deployment made something."""
    return {MANAGED_BY_TAG: OWNER, ENVIRONMENT_TAG: scope.environment, DEPLOYMENT_TAG: scope.deployment}


@dataclass(frozen=True)
class Context(Scope):
    """What a making step knows. ``made`` holds the entries of the kinds that were made before, by kind.

    ``halted``: the fleet is sent to nothing on purpose.
    """

    revision: int
    generation: int
    made: Mapping[str, Entry] = field(default_factory=dict)
    halted: bool = False

    def tags(self) -> dict[str, str]:
        return own_tags(self) | {REVISION_TAG: str(self.revision)}

    def arn(self, kind: str) -> str:
        """The ARN of something made by an earlier step.

        Raises:
            Conflict: the steps ran out of order.
        """
        if kind not in self.made or not self.made[kind].arn:
            raise Conflict(f"the {kind} of {self.deployment} is not made yet: run the earlier steps first")
        return self.made[kind].arn


@dataclass(frozen=True)
class Made:
    """What was made or adopted; ``extra`` is kept in the ledger."""

    arn: str
    extra: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Found:
    """What AWS shows under our name, whoever made it."""

    arn: str
    tags: Mapping[str, str]
    extra: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    """What a kind says when asked to unmake itself; a failure is raised as an error instead.

    The walk adds what it is about, and the ``code`` of the error for a FAILED one; the sweep adds the cost
    of an instance or a volume.
    """

    absence: Absence
    reason: str = ""
    code: str = ""
    kind: str = ""
    name: str = ""
    arn: str = ""
    usd_per_hour: float | None = 0.0


GONE = Answer(Absence.GONE)


def waiting(reason: str) -> Answer:
    return Answer(Absence.WAITING, reason)


class ResourceKind(Protocol):
    """What every module of this package offers."""

    @property
    def kind(self) -> str: ...

    @property
    def order(self) -> int:
        """The order of making; teardown walks backwards."""

    @property
    def blocked_by(self) -> tuple[str, ...]:
        """Kinds that must be gone before this one may go."""

    def applies(self, spec: DeploymentSpec) -> bool:
        """Whether a deployment of this specification has one."""

    def name(self, scope: Scope) -> str:
        """Its deterministic name."""

    def make(self, context: Context) -> Made:
        """Make it, or adopt what an earlier attempt made; calling it twice makes one thing."""

    def observe(self, scope: Scope) -> Found | None:
        """What exists under its name, ours or not; None where there is nothing."""

    def unmake(self, entry: Entry, scope: Scope) -> Answer:
        """Ask AWS to delete it: "not found" is GONE, a read alone never is. ``entry.arn`` is set."""


class RevisionedKind(ResourceKind, Protocol):
    """A kind of which each revision has its own; the ledger keeps a line for each."""

    def basis(self, spec: DeploymentSpec) -> object:
        """What it depends on: where this is equal, a revision uses the one of the revision before."""

    def retire(self, entry: Entry, scope: Scope) -> Answer:
        """Remove this revision's alone; the others stay as they are."""


class AdjustedKind(ResourceKind, Protocol):
    """A kind that is pointed at another revision in place."""

    def adjust(self, context: Context) -> None:
        """Point it at what ``context`` says; saying it twice changes nothing."""

    def halt(self, scope: Scope) -> int:
        """Let it run nothing, and answer how much still runs; saying it twice changes nothing."""


class TunedKind(ResourceKind, Protocol):
    """A kind whose settings follow the specification, and whether the deployment is stopped."""

    def fingerprint(self, context: Context) -> str:
        """The same for the same settings; the ledger keeps it, so that only a change costs a call."""

    def tune(self, context: Context) -> None:
        """Set what ``context`` wants; saying it twice changes nothing."""


FINGERPRINT = "fingerprint"
"""Where ``Entry.extra`` of a :class:`TunedKind` keeps what was set last."""


def fingerprint_of(settings: Any) -> str:
    """Sixteen hexadecimal digits for anything that JSON can say."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]


def make_or_adopt(
    kind: ResourceKind, context: Context, create: Callable[[], Made], duplicate: frozenset[str] = frozenset()
) -> Made:
    """Create unless it is there already; adopt it only if its tags say it is ours.

    ``duplicate`` are AWS's codes for "the name is taken": they are believed over a read that showed nothing.

    Raises:
        Conflict: the name belongs to somebody else, or to another revision.
    """
    found = kind.observe(context)
    if found is None:
        with domain_errors(f"make the {kind.kind} {kind.name(context)}", absent=duplicate):
            return create()
        found = kind.observe(context)
    return _adopted(kind, context, found)


def make_tuned(kind: TunedKind, context: Context, create: Callable[[], Made]) -> Made:
    """:func:`make_or_adopt`, and the fingerprint of the settings it was made with."""
    made = make_or_adopt(kind, context, create)
    return Made(made.arn, {FINGERPRINT: kind.fingerprint(context)})


def _adopted(kind: ResourceKind, context: Context, found: Found | None) -> Made:
    name = kind.name(context)
    if found is None or not context.owns(found.tags):
        raise Conflict(
            f"{kind.kind} {name} exists and is not ours: remove it or choose another deployment name"
        )
    if found.tags.get(REVISION_TAG, str(context.revision)) != str(context.revision):
        raise Conflict(f"{kind.kind} {name} is left of revision {found.tags[REVISION_TAG]}: delete it first")
    return Made(found.arn, found.extra)


def upper_tags(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Tags as EC2, Auto Scaling and Elastic Load Balancing spell them."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def lower_tags(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Tags as ECS spells them."""
    return [{"key": key, "value": value} for key, value in tags.items()]


def plain_tags(tags: list[dict[str, str]]) -> dict[str, str]:
    """Either spelling, as a mapping."""
    return {tag.get("Key") or tag["key"]: tag.get("Value") or tag.get("value") or "" for tag in tags}
