"""What is done under faults, one row each: what stands before, what is asked, what it may end in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from faults.world import World, specification

NAME = "benthic"


def _nothing(world: World) -> None:
    """Only the neighbour is there."""


def _deployed(world: World) -> None:
    world.ask("POST", "/deploy", specification(NAME))
    world.settle()


def _broken(world: World) -> None:
    """No worker of this deployment ever starts, so that it is rolled back without any fault of AWS."""
    world.fleet.broken = f"dev-{NAME}"


def _foreign(world: World) -> None:
    """Somebody else's cluster and queue have the names that the deployment would take."""
    from shoal.aws import client

    client("ecs").create_cluster(clusterName=f"shoal-dev-{NAME}")
    client("sqs").create_queue(QueueName=f"shoal-dev-{NAME}-jobs")


def _deploy(world: World) -> None:
    world.ask("POST", "/deploy", specification(NAME))


def _routed(world: World) -> None:
    world.ask("POST", "/deploy", specification(NAME, routing="host"))


def _deployed_by_host(world: World) -> None:
    _routed(world)
    world.settle()


def _update(world: World) -> None:
    """A task definition, a launch template version, an alarm and the dashboard become others."""
    changed = {"args": "--conf-thres=0.3", "instance_type": "g6.xlarge", "timeout_hours": 5}
    world.ask("POST", "/deploy", specification(NAME, **changed))


def _before_a_bad_update(world: World) -> None:
    """The workers of the second revision never start."""
    _deployed(world)
    world.fleet.broken = f"dev-{NAME}:2"


def _updated(world: World) -> None:
    _deployed(world)
    _update(world)
    world.settle()


def _revert(world: World) -> None:
    world.ask("POST", f"/deploy/{NAME}/rollback")


def _stop(world: World) -> None:
    world.ask("POST", f"/deploy/{NAME}/stop")
    world.reconcile()


def _stopped(world: World) -> None:
    _deployed(world)
    _stop(world)
    world.settle()


def _start(world: World) -> None:
    world.ask("POST", f"/deploy/{NAME}/start")


def _delete(world: World) -> None:
    world.ask("DELETE", f"/deploy/{NAME}")


@dataclass(frozen=True)
class Scenario:
    """``given`` makes the account, ``act`` runs under faults.

    ``whole`` are the statuses in which the account must look as after the same act without faults; in
    ``undone`` it must look as before the act; in ``empty`` as without the deployment. Any other status is an
    honest "not finished": a deletion must then empty the account.
    """

    name: str
    given: Callable[[World], None]
    act: Callable[[World], None]
    whole: frozenset[str] = frozenset()
    undone: frozenset[str] = frozenset()
    empty: frozenset[str] = frozenset({"FAILED", "DELETED"})
    stays: bool = False
    """Whether what ``given`` made is somebody else's and must stay."""
    returns: bool = False
    """Whether READY may also be the state before: what could not be changed is as it was."""
    again: Callable[[World], None] | None = None
    """The same request once more: it must change nothing where the outcome is as without faults."""


_ALL = (
    Scenario("deploy", _nothing, _deploy, frozenset({"READY"}), again=_deploy),
    Scenario("rollback", _broken, _deploy),
    Scenario("deploy-host", _nothing, _routed, frozenset({"READY"}), again=_routed),
    Scenario("delete-host", _deployed_by_host, _delete, undone=frozenset({"READY"})),
    Scenario("foreign", _foreign, _deploy, undone=frozenset({"FAILED"}), stays=True),
    Scenario("update", _deployed, _update, frozenset({"READY"}), returns=True),
    Scenario("update-rollback", _before_a_bad_update, _update, frozenset({"READY"}), returns=True),
    Scenario("revert", _updated, _revert, frozenset({"READY"}), returns=True),
    Scenario("stop", _deployed, _stop, frozenset({"READY", "STOPPED"}), returns=True, again=_stop),
    Scenario("start", _stopped, _start, frozenset({"READY"}), undone=frozenset({"STOPPED"}), again=_start),
    Scenario("delete", _deployed, _delete, undone=frozenset({"READY"})),
    Scenario("delete-stopped", _stopped, _delete, undone=frozenset({"STOPPED"})),
)
SCENARIOS = {scenario.name: scenario for scenario in _ALL}
