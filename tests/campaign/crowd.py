"""Fifty deployments at once on one load balancer, as many as it may have listeners, and their deletion."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from faults import snapshot
from faults.cases import Verdict, status_of
from faults.interleave import Scheduler
from faults.races import Scene, bystanders
from faults.snapshot import Snapshot
from faults.world import NEIGHBOUR, World

SIZE = 50
_PREEMPTIONS = 400


def run(world: World, seed: str) -> Verdict:
    """Every request and execution side by side, taken off at points the seed draws."""
    world.ask("DELETE", f"/deploy/{NEIGHBOUR}")
    _leave_every_listener()
    world.settle()
    before = snapshot.take()
    names = [f"reef-{number:02}" for number in range(SIZE)]
    wrong = _together(world, seed, before, "POST", names)
    wrong += [f"{name} is {status_of(name)}" for name in names if status_of(name) != "READY"]
    wrong += _ports()
    wrong += _together(world, seed, before, "DELETE", names)
    wrong += [f"{name} is {status_of(name)}" for name in names if status_of(name) != "DELETED"]
    return Verdict(f"crowd:{seed}", "DELETED", (*wrong, *_left(before, names)))


def _together(world: World, seed: str, before: Snapshot, method: str, names: list[str]) -> list[str]:
    random = Random(f"{seed} {method}")
    points = sorted(random.sample(range(SIZE * 60), _PREEMPTIONS))
    schedule = tuple((point, random.randrange(SIZE)) for point in points)
    # nobody dies of standing still: all fifty must become READY; that a stalled function dies is in the races
    scene = Scene(world, Scheduler(schedule, lambda: 0.0), empty=before)
    with bystanders(scene):
        for name in names:
            if method == "POST":
                scene.deploy(name, name)
            else:
                scene.delete(name, name)
        scene.scheduler.run()
    return [f"{method} {name}: {status}" for name, status in scene.replies.items() if status >= 300]


def _leave_every_listener() -> None:
    """The shared HTTPS listener counts against the fifty."""
    from shoal.aws import client
    from shoal.settings import settings

    client("elbv2").delete_listener(ListenerArn=settings().https_listener_arn)


def _ports() -> list[str]:
    from shoal.aws import client
    from shoal.settings import settings

    found = client("elbv2").describe_listeners(LoadBalancerArn=settings().load_balancer_arn)["Listeners"]
    ports = {listener["Port"] for listener in found}
    return [] if len(ports) == len(found) == SIZE else [f"{len(found)} listeners on {len(ports)} ports"]


def _left(before: Snapshot, names: list[str]) -> Iterator[str]:
    """What no deployment may leave behind."""
    after = snapshot.take()
    excused = [set(snapshot.difference(before, after, name)) for name in names]
    yield from sorted(set.intersection(*excused))
