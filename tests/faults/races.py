"""What may happen at once, one row each: who runs, and what must hold whoever was faster."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from faults import snapshot
from faults.cases import Verdict, status_of
from faults.interleave import Schedule, Scheduler
from faults.known import Known, way_out
from faults.snapshot import Snapshot
from faults.world import NEIGHBOUR, World, specification

FIRST, SECOND = "benthic", "pelagic"
Replies = dict[str, int]
"""The HTTP status of each request."""


@dataclass
class Scene:
    """A world with a scheduler in it."""

    world: World
    scheduler: Scheduler
    replies: Replies = field(default_factory=dict)
    asked: int = 0
    """How many requests there were: a client whose function died asks again."""
    empty: Snapshot = field(default_factory=dict)
    known: Known = field(default_factory=dict)
    """What earlier schedules teach of what follows when all have ended."""
    learned: Known = field(default_factory=dict)

    def emptied(self, *names: str) -> list[str]:
        """What is wrong after these were deleted."""
        wrong, learned = way_out(self.world, self.known, lambda: self._emptied(names))
        self.learned |= learned
        return wrong

    def _emptied(self, names: tuple[str, ...]) -> list[str]:
        for name in names:
            self.world.ask("DELETE", f"/deploy/{name}")
        left = self.left(names[0])
        # the records of the others may remain as well
        return [line for line in left if not any(_is_history(line, name) for name in names[1:])]

    def ask(self, label: str, method: str, path: str, body: object = None) -> None:
        """A patient client, as a thread."""

        def work() -> None:
            for _ in range(6):
                self.asked += 1
                self.replies[label] = int(self.world.request(method, path, body).status)
                if self.replies[label] < 500:
                    return
                self.scheduler.wait()

        self.scheduler.spawn(work)

    def deploy(self, label: str, name: str = FIRST, **more: object) -> None:
        self.ask(label, "POST", "/deploy", specification(name, compute="fargate-cpu", **more))

    def delete(self, label: str, name: str = FIRST) -> None:
        self.ask(label, "DELETE", f"/deploy/{name}")

    def left(self, name: str = FIRST) -> list[str]:
        return snapshot.difference(self.empty, snapshot.take(), name)


@dataclass(frozen=True)
class Race:
    name: str
    given: Callable[[World], None]
    begin: Callable[[Scene], None]
    holds: Callable[[Scene], list[str]]


def _nothing(world: World) -> None:
    """Only the neighbour is there."""


def _ready(world: World) -> None:
    world.ask("POST", "/deploy", specification(FIRST, compute="fargate-cpu"))
    world.settle()


def _accepted(world: World) -> None:
    """The request was taken, its execution has not begun."""
    world.request("POST", "/deploy", specification(FIRST, compute="fargate-cpu"))


def _same_twice(scene: Scene) -> None:
    scene.deploy("first")
    scene.deploy("second")


def _one_ready(scene: Scene) -> list[str]:
    wrong = [] if status_of(FIRST) == "READY" else [f"it is {status_of(FIRST)}"]
    wrong += [] if set(scene.replies.values()) <= {200, 202} else [f"answers {scene.replies}"]
    return wrong + _ports(1) + _definitions(1) + scene.emptied(FIRST)


def _other_body(scene: Scene) -> None:
    scene.deploy("first")
    scene.deploy("second", comment="another")


def _refused_or_updated(scene: Scene) -> list[str]:
    """The other body is refused while the first one is deployed, and updates what is READY.

    A client that asks again finds its own body READY (200), or updates once more.
    """
    accepted = sum(status in {200, 202} for status in scene.replies.values())
    refused = sum(status == 409 for status in scene.replies.values())
    repeated = scene.asked - len(scene.replies)
    wrong = [] if accepted and accepted + refused == 2 else [f"answers {scene.replies}"]
    wrong += [] if repeated or 200 not in scene.replies.values() else [f"answers {scene.replies}"]
    wrong += [] if status_of(FIRST) == "READY" else [f"it is {status_of(FIRST)}"]
    as_answered = accepted <= _revision() <= accepted + repeated
    wrong += [] if as_answered else [f"revision {_revision()} after {scene.replies}, {scene.asked} requests"]
    return wrong + _ports(1) + scene.emptied(FIRST)


def _revision() -> int:
    from shoal.deployments import store

    return store.get(FIRST).revision


def _take_queue(scene: Scene) -> None:
    queue = scene.world.machines.queue
    while queue:
        scene.scheduler.spawn(queue.popleft())


def _delete_it(scene: Scene) -> None:
    _take_queue(scene)
    scene.delete("delete")


def _deleted(scene: Scene) -> list[str]:
    wrong = [] if status_of(FIRST) == "DELETED" else [f"it is {status_of(FIRST)}"]
    return wrong + scene.left()


def _delete_and_deploy(scene: Scene) -> None:
    scene.delete("delete")
    scene.deploy("deploy")


def _as_answered(scene: Scene) -> list[str]:
    """Whichever request was accepted last is what stands."""
    status, answers = status_of(FIRST), scene.replies
    if status not in {"DELETED", "READY"}:
        return [f"it is {status} after {answers}"]
    if status == "DELETED":
        return scene.left()
    return _ports(1) + _definitions(1) + scene.emptied(FIRST)


def _two_names(scene: Scene) -> None:
    scene.deploy("first", FIRST)
    scene.deploy("second", SECOND)


def _two_ports(scene: Scene) -> list[str]:
    wrong = [f"{name} is {status_of(name)}" for name in (FIRST, SECOND) if status_of(name) != "READY"]
    wrong += _ports(2)
    return wrong + scene.emptied(FIRST, SECOND)


def _failing(world: World) -> None:
    world.fleet.broken = f"dev-{FIRST}"
    _accepted(world)


def _rollback_again(scene: Scene) -> None:
    """A second rollback beside the state machine's own: Lambda ran a function twice at once."""
    _take_queue(scene)
    payload = {"deployment": FIRST, "revision": 1, "generation": 1}

    def work() -> None:
        for _ in range(12):
            scene.scheduler.wait()
            scene.world.machines.invoke("rollback", payload)

    scene.scheduler.spawn(work)


def _failed(scene: Scene) -> list[str]:
    wrong = [] if status_of(FIRST) == "FAILED" else [f"it is {status_of(FIRST)}"]
    return wrong + scene.left()


_ALL = (
    Race("same-post-twice", _nothing, _same_twice, _one_ready),
    Race("other-body", _nothing, _other_body, _refused_or_updated),
    Race("delete-during-deploy", _accepted, _delete_it, _deleted),
    Race("deploy-during-delete", _ready, _delete_and_deploy, _as_answered),
    Race("two-for-a-port", _nothing, _two_names, _two_ports),
    Race("two-rollbacks", _failing, _rollback_again, _failed),
)
RACES = {race.name: race for race in _ALL}


@dataclass(frozen=True)
class Raced:
    """``choices``: how many others could have gone on at each point."""

    verdict: Verdict
    choices: list[int]
    learned: Known


def run(world: World, race: Race, schedule: Schedule, known: Known | None = None) -> Raced:
    """One schedule, in a world that nobody else uses."""
    empty = snapshot.take()
    race.given(world)
    scene = Scene(world, Scheduler(schedule, lambda: world.clock.passed), empty=empty, known=known or {})
    wrong = []
    with bystanders(scene):
        race.begin(scene)
        try:
            scene.scheduler.run()
        except AssertionError as error:
            wrong = [str(error)]
    status = status_of(FIRST)
    wrong = wrong or race.holds(scene)
    return Raced(
        Verdict(spelled(race, schedule), status, tuple(wrong)), scene.scheduler.choices, scene.learned
    )


@contextmanager
def bystanders(scene: Scene) -> Iterator[None]:
    """Executions become threads, AWS calls points, and waiting lets the others go on."""
    world, scheduler = scene.world, scene.scheduler

    def ticked() -> None:
        world.fleet.tick()
        scheduler.wait()

    world.machines.launch, world.clock.ticked = scheduler.spawn, ticked
    world.injector.begin([])
    world.injector.before = lambda _: scheduler.point()
    try:
        yield
    finally:
        world.injector.before = None
        world.injector.end()
        world.machines.launch, world.clock.ticked = world.machines.queue.append, world.fleet.tick


def spelled(race: Race, schedule: Schedule) -> str:
    """``race:same-post-twice@17.0`` takes the running thread off at point 17 for the first of the others."""
    return f"race:{race.name}@" + ",".join(f"{point}.{rank}" for point, rank in schedule)


def read(text: str) -> tuple[Race, Schedule]:
    """What :func:`spelled` wrote."""
    name, _, rest = text.removeprefix("race:").partition("@")
    pairs = [one.partition(".") for one in rest.split(",") if one]
    return RACES[name], tuple((int(point), int(rank)) for point, _, rank in pairs)


def _ports(count: int) -> list[str]:
    """Every deployment has a listener of its own, each on a port of its own."""
    from shoal.aws import client
    from shoal.settings import settings

    found = client("elbv2").describe_listeners(LoadBalancerArn=settings().load_balancer_arn)["Listeners"]
    ports = [listener["Port"] for listener in found if listener["Protocol"] == "HTTP"]
    right = len(ports) == count + 1 and len(set(ports)) == len(ports)
    return [] if right else [f"listeners on {sorted(ports)} for {NEIGHBOUR} and {count} more"]


def _definitions(count: int) -> list[str]:
    from shoal.aws import client

    listed = client("ecs").list_task_definitions(familyPrefix=f"shoal-dev-{FIRST}")["taskDefinitionArns"]
    return [] if len(listed) == count else [f"task definitions {listed}"]


def _is_history(line: str, name: str) -> bool:
    return name in line and "RESOURCE#" not in line and "PORT#" not in line
