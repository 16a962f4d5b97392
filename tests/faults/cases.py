"""One case: a plan carried out, and what is wrong with the account afterwards."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from faults import scenarios, snapshot
from faults.plans import Fault, Plan
from faults.scenarios import NAME, Scenario
from faults.snapshot import Snapshot
from faults.world import World

_STEADY_ROUNDS = 3
_MAKES = {
    "elbv2.CreateTargetGroup": "target_group", "elbv2.CreateListener": "listener",
    "logs.CreateLogGroup": "log_group", "ecs.CreateCluster": "cluster",
    "ecs.RegisterTaskDefinition": "task_definition", "ec2.CreateLaunchTemplate": "launch_template",
    "autoscaling.CreateAutoScalingGroup": "auto_scaling_group",
    "ecs.CreateCapacityProvider": "capacity_provider",
    "ecs.CreateService": "service",
}  # fmt: skip
_UNFINISHED = frozenset(
    {
        "ACCEPTED", "DEPLOYING", "ROLLING_BACK", "DELETING", "UPDATING", "UPDATE_ROLLING_BACK", "STOPPING",
        "STARTING",
    }
)  # fmt: skip
_NOT_RETURNED = "UPDATE_ROLLBACK_FAILED"
_TOLD_WITH = {"launch_template_version": "launch_template"}
"""A part that AWS removes with its whole: naming the whole tells of it."""


@dataclass(frozen=True)
class Verdict:
    """``outcome``: the deployment's status after the act. ``wrong``: empty, or why the promise was broken."""

    plan: str
    outcome: str
    wrong: tuple[str, ...] = ()
    hit: bool = True
    """Whether every fault of the plan met its call."""


@dataclass
class Stage:
    """A scenario whose ``given`` stands: snapshots without and before, and after an act without faults."""

    world: World
    scenario: Scenario
    empty: Snapshot = field(default_factory=dict)
    before: Snapshot = field(default_factory=dict)
    golden: str = ""
    escape: Callable[[Callable[[], list[str]]], list[str]] = lambda way: way()
    """Carries the last deletion out, or knows how it ends."""

    def prepare(self) -> None:
        self.world.injector.end()
        self.empty = snapshot.take()
        self.scenario.given(self.world)
        self.before = snapshot.take()
        if self.scenario.stays:
            self.empty = self.before

    def act(self, faults: tuple[Fault, ...] = ()) -> None:
        """The act, under ``faults``; they are lifted when it is over."""
        world = self.world
        world.machines.begin()
        world.injector.begin(list(faults))
        self.scenario.act(world)
        world.injector.end()

    def judge(self) -> tuple[str, list[str]]:
        """The status, and everything that is wrong; the account is emptied where it was not finished."""
        if status_of(NAME) in _UNFINISHED:
            self.world.recover()
        status = status_of(NAME)
        return status, self.unannounced() + self._judge(status)

    def _judge(self, status: str) -> list[str]:
        if status in self.scenario.whole:
            return self._judge_whole(status)
        if status in _UNFINISHED:
            return [f"stuck in {status}", *self._way_out(status)]
        if status in self.scenario.undone:
            return snapshot.difference(self.before, snapshot.take(), NAME)
        if status in self.scenario.empty or status == "":
            left = snapshot.difference(self.empty, snapshot.take(), NAME)
            return left + self._inventory(bool(left))
        false = [f"false {status}"] if status == "READY" else []
        return [*false, *self._untold(status), *self._way_out(status)]

    def _untold(self, status: str) -> list[str]:
        """What a teardown left must be named in the deployment's reason; an update takes nothing away."""
        from shoal.deployments import store

        if status == _NOT_RETURNED:
            return []
        reason = store.get(NAME).reason
        return [
            f"after {status}: {kind} is left and not told"
            for kind in observed(NAME)
            if _TOLD_WITH.get(kind, kind) not in reason
        ]

    def _judge_whole(self, status: str) -> list[str]:
        for _ in range(_STEADY_ROUNDS):
            self.world.fleet.tick()
        self.world.settle()
        wrong = [] if self.golden == canonical() else [f"false {status}: {self._against_golden()}"]
        returned = bool(wrong) and self.scenario.returns
        if returned:
            changed = snapshot.difference(
                snapshot.starred(self.before), snapshot.starred(snapshot.take()), NAME
            )
            wrong = changed and [*wrong, *changed]
        if self.scenario.again and not returned:
            first = snapshot.take()
            self.scenario.again(self.world)
            wrong += snapshot.difference(first, snapshot.take(), "")
        return wrong

    def _against_golden(self) -> str:
        golden, found = self.golden.splitlines(), canonical().splitlines()
        extra = [line[:300] for line in found if line not in golden]
        missing = [line[:300] for line in golden if line not in found]
        return f"more: {extra}; less: {missing}"

    def _way_out(self, status: str) -> list[str]:
        """With the faults lifted, a deletion finishes whatever state the deployment is in.

        An update that could not be undone must be undone first, by the rollback that its status asks for.
        """
        self.world.fleet.broken = ""
        wrong = self._back_to_good() if status == _NOT_RETURNED else []
        # only the deletion may be cut: what was wrong before it stays told
        return wrong + self.escape(lambda: self._deleted(status))

    def _back_to_good(self) -> list[str]:
        from shoal.deployments import store

        good = store.get(NAME).good_revision
        self.world.ask("POST", f"/deploy/{NAME}/rollback", {"revision": good})
        found = store.get(NAME)
        if (found.status, found.revision) == ("READY", good):
            return []
        return [f"rollback to {good} ends in {found.status}, revision {found.revision}: {found.reason}"]

    def _deleted(self, status: str) -> list[str]:
        for _ in range(2):
            self.world.ask("DELETE", f"/deploy/{NAME}")
            if status_of(NAME) == "DELETED":
                left = snapshot.difference(self.empty, snapshot.take(), NAME)
                return [f"after {status} and DELETE: {one}" for one in left] + self._inventory(bool(left))
        return [f"after {status}: DELETE ends in {status_of(NAME)}"]

    def unannounced(self) -> list[str]:
        """Calls of the act that make something without its PENDING line in the ledger before them."""
        written: set[str] = set()
        wrong = []
        for call in self.world.injector.calls:
            if call.name == "dynamodb.TransactWriteItems" and b"PENDING" in call.key[2]:
                written.update(kind for kind in _MAKES.values() if f"#{kind}".encode() in call.key[2])
            if call.name in _MAKES and _MAKES[call.name] not in written:
                wrong.append(f"{call.name} before its line in the ledger")
        return wrong

    def _inventory(self, left: bool) -> list[str]:
        """The product's own eyes must see what the snapshot sees."""
        seen = observed(NAME)
        return [] if bool(seen) == left else [f"the product's inventory sees {seen}, the snapshot {left}"]


def run(world: World, plan: Plan, golden: str) -> Verdict:
    """A plan from its beginning, in a world that nobody else uses."""
    stage = Stage(world, scenarios.SCENARIOS[plan.scenario], golden=golden)
    stage.prepare()
    stage.act(plan.faults)
    outcome, wrong = stage.judge()
    return Verdict(str(plan), outcome, tuple(wrong), len(world.injector.hits) == len(plan.faults))


def canonical() -> str:
    return snapshot.canonical(snapshot.take())


def status_of(name: str) -> str:
    from shoal.deployments import store

    found = store.find(name)
    return str(found.status) if found else ""


def observed(name: str) -> list[str]:
    """Kinds that the product's inventory finds under this deployment's name and tags."""
    from shoal.deployments import store
    from shoal.deployments.steps import scope_of
    from shoal.resources import KINDS

    deployment = store.find(name)
    if deployment is None:
        return []
    scope = scope_of(deployment)
    found = {kind.kind: kind.observe(scope) for kind in KINDS if kind.applies(deployment.spec)}
    return [kind for kind, one in found.items() if one and scope.owns(one.tags)]
