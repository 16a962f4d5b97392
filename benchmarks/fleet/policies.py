"""The three systems. Ours calls the code that the reconciler runs; the others are what their pages say."""

from __future__ import annotations

from shoal.fleet.policy import Limits, Load, decide, surplus

from benchmarks.fleet.inputs import VIDEO_FRAMES, Inputs
from benchmarks.fleet.world import World

PASS_SECONDS = 60.0


class Shoal:
    """Woken by the intake; a pass each minute; idle workers are stopped, their empty instances reaped."""

    name = "shoal"
    retry_seconds, release_seconds = 30.0, 0.0

    def __init__(self, inputs: Inputs, baked: bool = True) -> None:
        self.start_seconds = inputs.boot + (inputs.baked if baked else inputs.pull) + inputs.model
        self.desired = 0
        self.surplus_since: float | None = None

    def begin(self, world: World) -> None:
        world.at(world.inputs.event, lambda: self._pass(world))
        phase = world.random.uniform(0, PASS_SECONDS)
        world.at(phase, lambda: world.each(PASS_SECONDS, lambda: self._pass(world)))

    def _pass(self, world: World) -> None:
        load = self._load(world)
        if not surplus(load):
            self.surplus_since = None
        elif self.surplus_since is None:
            self.surplus_since = world.last_done or world.now  # the jobs' tally says when one ended last
        self.desired = decide(self._load(world), Limits(world.fleet_size)).count
        world.launch(max(0, self.desired - len(world.instances)))
        for instance in world.idle()[: max(0, len(world.instances) - self.desired)]:
            instance.ready = False  # its task was told to stop
            world.at(world.inputs.stop + world.inputs.reap, lambda one=instance: world.remove(one))

    def _load(self, world: World) -> Load:
        return Load(
            visible=len(world.waiting), in_flight=world.in_flight, current=self.desired,
            footage_hours=float(len(world.waiting)),
            surplus_seconds=0.0 if self.surplus_since is None else world.now - self.surplus_since,
            speed=3600 * world.machine.frames_per_second / VIDEO_FRAMES,
        )  # fmt: skip


class AlarmsAndProvider:
    """Application Auto Scaling on the visible messages, a capacity provider with managed scaling.

    Generous: the alarm's step goes to the whole backlog at once. From zero the provider launches two
    instances, the others follow after its warm-up; empty ones go after its fixed fifteen minutes.
    """

    name = "alarms and provider"
    retry_seconds, release_seconds = 300.0, 300.0

    def __init__(self, inputs: Inputs) -> None:
        self.start_seconds = inputs.boot + inputs.pull + inputs.model
        self.next_step = 0.0

    def begin(self, world: World) -> None:
        given = world.inputs
        asleep = world.random.uniform(0, given.inactive_lag)
        alarm = given.metric_lag + PASS_SECONDS + given.alarm_action
        world.at(
            asleep + alarm + given.provider, lambda: world.each(PASS_SECONDS, lambda: self._minute(world))
        )
        world.at(given.retention, world.forget)

    def _minute(self, world: World) -> None:
        wanted = min(len(world.waiting) + world.in_flight, world.fleet_size)
        missing = wanted - len(world.instances)
        if missing > 0 and world.waiting and world.now >= self.next_step:
            world.launch(missing if world.instances else 2)
            self.next_step = world.now + world.inputs.warmup
        for instance in world.idle():
            if world.now - instance.idle_since >= world.inputs.provider_tail:
                world.remove(instance)


class Ancestor:
    """deepsea-ai's stack: one instance for each five minutes of a five-minute average, three hours of idling.

    The three hours begin at the last video done, as its authors planned them. ``charitable`` begins them at
    the last message taken, since the alarm sees no message in flight. All instances then go at once, which
    is kinder than one at a time.
    """

    name = "ancestor"

    def __init__(self, inputs: Inputs, charitable: bool = False) -> None:
        self.start_seconds = inputs.boot + inputs.pull + inputs.model
        self.retry_seconds = self.release_seconds = inputs.ancestor_visibility
        self.charitable = charitable
        self.quiet_since: float | None = None

    def begin(self, world: World) -> None:
        given = world.inputs
        phase = world.random.uniform(0, given.ancestor_period)
        alarm = phase + given.metric_lag + given.ancestor_period + given.alarm_action
        world.at(alarm, lambda: world.each(given.ancestor_period, lambda: self._grow(world)))
        world.at(alarm, lambda: world.each(PASS_SECONDS, lambda: self._shrink(world)))
        world.at(given.ancestor_retention, world.forget)

    def _grow(self, world: World) -> None:
        if world.waiting and len(world.instances) < world.fleet_size:
            world.launch()

    def _shrink(self, world: World) -> None:
        busy = bool(world.waiting) if self.charitable else world.unfinished() > 0
        if busy:
            self.quiet_since = None
        elif self.quiet_since is None:
            self.quiet_since = world.now if self.charitable else world.last_done
        elif world.now - self.quiet_since >= world.inputs.ancestor_tail:
            for instance in world.idle():
                world.remove(instance)
