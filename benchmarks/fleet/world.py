"""The events: videos in a queue, instances that boot, work, fail, are interrupted and are let go."""

from __future__ import annotations

import heapq
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from benchmarks.fleet.inputs import VIDEO_FRAMES, Inputs, Machine

Action = Callable[[], None]


@dataclass(eq=False)
class Instance:
    """One GPU instance; ``video`` is the one it works on. It is billed from its launch to its end."""

    launched: float
    ready: bool = False
    gone: bool = False
    video: int | None = None
    idle_since: float = 0.0


class Policy(Protocol):
    """What differs between the systems that are compared."""

    start_seconds: float
    """From launch to a worker that takes videos."""
    retry_seconds: float
    """Until a video comes back whose attempt failed."""
    release_seconds: float
    """The same for a video whose instance was interrupted."""

    def begin(self, world: World) -> None:
        """All videos were submitted at 0."""


@dataclass
class World:
    """One run. Time is in seconds; every video is an hour of footage and was submitted at 0."""

    videos: int
    fleet_size: int
    machine: Machine
    spot: bool
    policy: Policy
    inputs: Inputs
    random: random.Random
    now: float = 0.0
    waiting: deque[int] = field(default_factory=deque)
    instances: list[Instance] = field(default_factory=list)
    in_flight: int = 0
    first_frame: float = -1.0
    last_done: float = 0.0
    done: set[int] = field(default_factory=set)
    twice: int = 0
    lost: int = 0
    billed: float = 0.0
    worked: float = 0.0
    ended: float = 0.0
    _events: list[tuple[float, int, Action]] = field(default_factory=list)
    _number: int = 0

    @property
    def service_seconds(self) -> float:
        """One video on one worker: transfer, then every frame."""
        return VIDEO_FRAMES / self.machine.frames_per_second + self.inputs.transfer

    def at(self, seconds: float, action: Action) -> None:
        """Do it that many seconds from now."""
        self._number += 1
        heapq.heappush(self._events, (self.now + seconds, self._number, action))

    def run(self) -> None:
        """Until nothing is left to happen."""
        self.waiting.extend(range(self.videos))
        self.policy.begin(self)
        while self._events:
            self.now, _, action = heapq.heappop(self._events)
            action()

    def unfinished(self) -> int:
        return self.videos - len(self.done) - self.lost

    def launch(self, count: int = 1) -> None:
        for _ in range(count):
            instance = Instance(self.now)
            self.instances.append(instance)
            self.at(self.policy.start_seconds, lambda one=instance: self._ready(one))
            if self.spot:
                life = self.random.expovariate(self.inputs.interruptions / 3600)
                self.at(life, lambda one=instance: self._interrupted(one))

    def remove(self, instance: Instance) -> None:
        """Terminate it; what it worked on is somebody else's business."""
        if instance.gone:
            return
        instance.gone = True
        self.instances.remove(instance)
        self.billed += self.now - instance.launched
        self.ended = self.now

    def idle(self) -> list[Instance]:
        """The instances that poll and find nothing."""
        return [one for one in self.instances if one.ready and one.video is None]

    def each(self, seconds: float, action: Action) -> None:
        """Again and again, while a video is unfinished or an instance is left."""
        if self.unfinished() > 0 or self.instances:
            action()
            self.at(seconds, lambda: self.each(seconds, action))

    def forget(self) -> None:
        """Nobody keeps a record: what is older than the queue's retention is gone."""
        self.lost += len(self.waiting)
        self.waiting.clear()

    def _ready(self, instance: Instance) -> None:
        if not instance.gone:
            instance.ready = True
            self._take(instance)

    def _take(self, instance: Instance) -> None:
        while self.waiting and self.waiting[0] in self.done:
            self.waiting.popleft()  # a duplicate of a finished video: its message is deleted
        if not self.waiting:
            instance.video, instance.idle_since = None, self.now
            return
        video = self.waiting.popleft()
        instance.video, self.in_flight = video, self.in_flight + 1
        if self.first_frame < 0:
            self.first_frame = self.now
        seconds, fails = self.service_seconds, self.random.random() < self.inputs.failure
        if fails:
            seconds *= self.random.random()
        self.at(seconds, lambda: self._ended(instance, video, fails))

    def _ended(self, instance: Instance, video: int, failed: bool) -> None:
        if instance.gone or instance.video != video:
            return
        self.in_flight -= 1
        if failed:
            self.at(self.policy.retry_seconds, lambda: self._back(video))
        else:
            self._succeeded(video)
        self._take(instance)

    def _succeeded(self, video: int) -> None:
        self.twice += video in self.done
        self.done.add(video)
        self.last_done = self.now
        self.worked += VIDEO_FRAMES / self.machine.frames_per_second

    def _back(self, video: int) -> None:
        self.waiting.append(video)
        for instance in self.idle()[:1]:
            self._take(instance)

    def _interrupted(self, instance: Instance) -> None:
        if instance.gone:
            return
        video = instance.video
        self.remove(instance)
        if video is not None:
            self.in_flight -= 1
            self.at(self.policy.release_seconds, lambda: self._back(video))
