"""Bugs of the usual kinds, each planted as a patch in a fork: the campaign must catch every one of them.

A harness that finds nothing proves something only if it finds what was put there. ``plans`` are the plans
that are tried after the fault-free ones, shortest first.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest
from rest_world import load_app
from shoal import deployments, table
from shoal.contracts.status import Absence, DeploymentStatus
from shoal.deployments import ledger, recording, recovery, status, steps, store, sweep, teardown
from shoal.resources import BY_KIND, balancer, instances, log_group, ports, target_group, task_definition
from shoal.resources import kind as kinds
from shoal.resources.claims import Claims
from shoal.resources.kind import (
    DEPLOYMENT_TAG,
    ENVIRONMENT_TAG,
    GONE,
    MANAGED_BY_TAG,
    OWNER,
    Answer,
    Made,
)

Patch = pytest.MonkeyPatch
WITHOUT_FAULTS = ("deploy", "delete", "rollback")


@dataclass(frozen=True)
class Bug:
    name: str
    plant: Callable[[Patch], None]
    plans: tuple[str, ...] = ()


def _swallowed(patch: Patch) -> None:
    """An error of a deletion counts as done, in the walk and in the sweep."""
    original, swept = teardown._ask, sweep._sweep_one

    def ask(*given: Any) -> Answer:
        answer = original(*given)
        return GONE if answer.absence is Absence.FAILED else answer

    def sweep_one(*given: Any) -> Answer | None:
        answer = swept(*given)
        return None if answer and answer.absence is Absence.FAILED else answer

    patch.setattr(teardown, "_ask", ask)
    patch.setattr(sweep, "_sweep_one", sweep_one)


def _after_the_call(patch: Patch) -> None:
    """The ledger learns of a resource only when it is made."""
    patch.setattr(ledger, "intend", lambda deployment, generation, entry: entry)


def _no_adoption(patch: Patch) -> None:
    """A repeated step registers the task definition again."""
    patch.setattr(task_definition, "make_or_adopt", lambda kind, context, create, duplicate=None: create())


def _adopts_anything(patch: Patch) -> None:
    """Whatever has the name is taken for ours."""
    patch.setattr(kinds, "_adopted", lambda kind, context, found: Made(found.arn, found.extra))


def _one_look(patch: Patch) -> None:
    """One Describe that shows nothing is believed, without a second pass and without a look for its tags."""
    original = teardown._settle

    def settle(deployment: Any, entry: Any, answer: Answer, *more: Any) -> Answer:
        return original(deployment, entry.model_copy(update={"gone": True}), answer, *more)

    patch.setattr(teardown, "_settle", settle)
    # alone it is no bug that can be seen: what a stale look missed, the sweep finds by its tags
    patch.setattr(sweep.tagged, "find", lambda environment, deployment: [])


def _no_fence(patch: Patch) -> None:
    """A writer of an old generation still writes, and the steps do not look."""
    patch.setattr(table, "write_fenced", lambda name, generation, *writes: table.write(*writes))
    patch.setattr(store, "at", lambda name, revision, generation: _at(name, revision, generation))


def _at(name: str, revision: int, generation: int) -> Any:
    found = store.get(name)
    alive = DeploymentStatus.DEPLOYING
    return found.model_copy(update={"revision": revision, "generation": generation, "status": alive})


def _unclaimed_port(patch: Patch) -> None:
    """A port is taken by a plain write."""

    def take(self: Claims, key: str, deployment: str, generation: int) -> bool:
        item = self._key(key) | {"owner": deployment, "claimed_at": table.now()}
        table.write_fenced(deployment, generation, {"Put": {"Item": item}})
        return True

    patch.setattr(Claims, "take", take)


def _steps_in_another_order(patch: Patch) -> None:
    """The cluster is made after what runs in it."""
    changed = {"task_cluster": tuple(reversed(steps.STEPS["task_cluster"]))}
    patch.setattr(steps, "STEPS", steps.STEPS | changed)


def _ready_unseen(patch: Patch) -> None:
    """A service is called steady because it exists."""
    patch.setattr(status, "_is_ready", lambda rollout, health: True)
    patch.setattr(status, "_our_rollout", lambda service, task_definition: {"rolloutState": "COMPLETED"})


def _registered_still(patch: Patch) -> None:
    """A task definition is deregistered and not deleted."""
    patch.setattr(task_definition, "_delete", lambda arns: None)
    listed = task_definition._listed
    patch.setattr(
        task_definition, "_listed", lambda family, which: listed(family, which) if which == "ACTIVE" else []
    )


def _without_force(patch: Patch) -> None:
    """The Auto Scaling group is asked to go while its instances run."""
    from botocore.client import BaseClient

    original = BaseClient._make_api_call

    def call(client: Any, operation: str, parameters: dict[str, Any]) -> Any:
        if operation == "DeleteAutoScalingGroup":
            parameters = parameters | {"ForceDelete": False}
        return original(client, operation, parameters)

    patch.setattr(BaseClient, "_make_api_call", call)


def _releases_every_port(patch: Patch) -> None:
    """A deletion frees the ports of the others too."""

    def release(self: Claims, key: str, deployment: str) -> None:
        table.write({"Delete": {"Key": self._key(key)}})

    patch.setattr(ports, "owned", lambda deployment: sorted(ports._owners()))
    patch.setattr(Claims, "release", release)


def _terminates_every_instance(patch: Patch) -> None:
    """The sweep terminates whatever Shoal runs."""
    original = instances.terminate_stragglers
    patch.setattr(
        sweep.instances,
        "terminate_stragglers",
        lambda scope: original(dataclasses.replace(scope, deployment="*")),
    )


def _attributes_only_once(patch: Patch) -> None:
    """A target group that an earlier attempt made keeps AWS's defaults."""
    kind = type(BY_KIND["target_group"])
    patch.setattr(
        kind,
        "make",
        lambda self, context: target_group.make_or_adopt(self, context, _configured(self, context)),
    )


def _configured(kind: Any, context: Any) -> Callable[[], Made]:
    def create() -> Made:
        from shoal.aws import client

        made: Made = kind._create(context)
        client("elbv2").modify_target_group_attributes(
            TargetGroupArn=made.arn, Attributes=target_group._attributes()
        )
        return made

    return create


def _retention_forgotten(patch: Patch) -> None:
    """The logs are kept for ever."""
    kind = type(BY_KIND["log_group"])
    patch.setattr(
        kind,
        "make",
        lambda self, context: log_group.make_or_adopt(self, context, lambda: self._create(context)),
    )


def _deploys_again(patch: Patch) -> None:
    """The same request once more begins another revision."""
    patch.setattr(store, "_SAME", frozenset())


def _empty_too_early(patch: Patch) -> None:
    """A pass that still waits for something says that nothing is left."""
    original = teardown.summary
    patch.setattr(teardown, "summary", lambda answers: original(answers).model_copy(update={"empty": True}))


def _tears_down_what_serves(patch: Patch) -> None:
    """A rollback does not look whether the deployment is READY."""
    careless = vars(store) | {"get": lambda name: _not_ready(store.get(name))}
    patch.setattr(teardown, "store", SimpleNamespace(**careless))


def _not_ready(found: Any) -> Any:
    if found.status is DeploymentStatus.READY:
        return found.model_copy(update={"status": DeploymentStatus.ROLLING_BACK})
    return found


def _calls_it_failed(patch: Patch) -> None:
    """A rollback that could not finish is recorded as one that did."""
    real = recording.record

    def record(payload: Any) -> Any:
        if payload.become is DeploymentStatus.ROLLBACK_FAILED:
            payload = payload.model_copy(update={"become": DeploymentStatus.FAILED})
        return real(payload)

    patch.setattr(recording, "record", record)
    patch.setattr(load_app("deployment_status"), "record", record)


def _takes_another_body(patch: Patch) -> None:
    """A request for another specification is answered as if it were the same."""
    real = deployments.claim

    def claim(spec: Any, *more: Any) -> Any:
        current = store.find(spec.name)
        return real(current.spec if current and current.status in store._SAME else spec, *more)

    patch.setattr(deployments, "claim", claim)


def _nobody_recovers(patch: Patch) -> None:
    """An execution that died is noticed and not begun again."""
    patch.setattr(recovery, "_start", lambda deployment, recoveries: None)


def _stays_pending(patch: Patch) -> None:
    """What was made is never written down as made."""
    real = ledger.made

    def made(deployment: str, generation: int, entry: Any, result: Made, *actor: Any) -> Any:
        if entry.kind == "dashboard":
            return entry
        return real(deployment, generation, entry, result, *actor)

    patch.setattr(ledger, "made", made)


def _first_listener(patch: Patch) -> None:
    """Our listener is the first of the balancer, whatever its tags say."""

    def owned(scope: Any, arns: list[str]) -> Any:
        tags = {MANAGED_BY_TAG: OWNER, ENVIRONMENT_TAG: scope.environment, DEPLOYMENT_TAG: scope.deployment}
        return (arns[0], tags) if arns else None

    patch.setattr(balancer, "owned", owned)


BUGS = (
    Bug("an error is swallowed", _swallowed, ("rollback:sqs.DeleteQueue#1:denied**",)),
    Bug("the ledger is written after the call", _after_the_call),
    Bug(
        "a repeated step makes a second one",
        _no_adoption,
        ("deploy:ecs.RegisterTaskDefinition#1:crash-after",),
    ),
    Bug("what is not ours is adopted", _adopts_anything, ("foreign",)),
    Bug(
        "one Describe is trusted",
        _one_look,
        (
            "deploy:elbv2.CreateTargetGroup#1:crash-after",
            "deploy:elbv2.CreateTargetGroup#1:crash-after+elbv2.DescribeTargetGroups#2:denied",
            "deploy:elbv2.CreateTargetGroup#1:crash-after+elbv2.DescribeTargetGroups#2:denied"
            "+elbv2.DescribeTargetGroups#3:slow",
        ),
    ),
    Bug("no fence", _no_fence, tuple(f"race:delete-during-deploy@{n}.0" for n in range(5, 60, 3))),
    Bug("a port is not claimed", _unclaimed_port, tuple(f"race:two-for-a-port@{n}.0" for n in range(4, 40))),
    Bug("steps in another order", _steps_in_another_order),
    Bug("READY without a look", _ready_unseen),
    Bug("deregistered and not deleted", _registered_still),
    Bug("no ForceDelete", _without_force),
    Bug("every port is released", _releases_every_port),
    Bug("every instance is terminated", _terminates_every_instance),
    Bug(
        "attributes are set only at the creation",
        _attributes_only_once,
        ("deploy:elbv2.CreateTargetGroup#1:crash-after",),
    ),
    Bug("no retention", _retention_forgotten),
    Bug("the same request deploys again", _deploys_again),
    Bug("empty too early", _empty_too_early),
    Bug(
        "a rollback takes what serves",
        _tears_down_what_serves,
        ("deploy:lambda.deployment_status#2:timeout", "deploy:lambda.deployment_status#2:timeout**"),
    ),
    Bug(
        "a rollback that failed is called done", _calls_it_failed, ("rollback:ecs.DeleteService#1:denied**",)
    ),
    Bug("another body is taken for the same", _takes_another_body, ("race:other-body@",)),
    Bug("nobody begins again what died", _nobody_recovers, ("deploy:lambda.task_cluster#1:dies",)),
    Bug("what was made is not written down", _stays_pending),
    Bug("the first listener is taken for ours", _first_listener),
)
