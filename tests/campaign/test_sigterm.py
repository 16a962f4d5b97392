"""SIGTERM at 20 random moments of a video: given back within five seconds and gone on with, 20 of 20.

A moment is a number of processor seconds that the worker has used, so that load does not move it. The five
seconds are by the worker's own clock, from the signal to its last line; the processor seconds in between are
counted by the kernel, whatever else the machine does.
"""

from __future__ import annotations

import os
import random
import signal
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from campaign.worker_table import Row, keep
from worker_fixtures import write_video
from worker_process import Cloud, Process, cloud_on_loopback, start_worker, wait_for

TRIALS = 100 if os.environ.get("FULL") else 20
SEED = int(os.environ.get("SEED") or 1)
FRAMES = 3_000
SECONDS = 5.0
TICKS = os.sysconf("SC_CLK_TCK")


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with cloud_on_loopback(tmp_path_factory.mktemp("model")) as made:
        yield made


@dataclass
class Dive:
    """One video after another in one queue: the next is sent when a worker has ended the one before."""

    cloud: Cloud
    queue: str
    content: bytes
    number: int = 0

    def __post_init__(self) -> None:
        self._send()

    @property
    def video(self) -> str:
        return f"videos/reef/dive-{self.number}.mp4"

    @property
    def job(self) -> str:
        return f"dive-{self.number}"

    def status(self) -> str:
        return self.cloud.record(self.job).get("status", "")

    def follow(self) -> None:
        """Send the next video where this one has its result."""
        if self.status() == "SUCCEEDED":
            self.number += 1
            self._send()

    def _send(self) -> None:
        self.cloud.put(self.video, self.content)
        self.cloud.send(self.queue, {"video": self.video, "job_id": self.job})


@dataclass
class Stop:
    """How a worker ended: its exit status, its lines, and the processor seconds from the signal on."""

    code: int
    lines: list[dict[str, Any]]
    processor: float
    decoders: list[int]

    def says(self, words: str) -> list[str]:
        """What follows ``words`` in each line that begins so."""
        said = [line["message"] for line in self.lines]
        return [message.removeprefix(words) for message in said if message.startswith(words)]


def test_sigterm_at_any_moment_gives_the_video_back_in_time(cloud: Cloud, tmp_path: Path) -> None:
    # Given when a worker that nobody stops begins with its video, and when it has ended it
    content = write_video(tmp_path / "dive.mp4", FRAMES).read_bytes()
    dive = Dive(cloud, cloud.queue("sigterm"), content)
    begun, ended = _whole(cloud, dive, tmp_path)
    chance, outcomes, longest, most, restored = random.Random(SEED), Counter[str](), 0.0, 0.0, []
    while outcomes["given back"] < TRIALS:
        dive.follow()
        number = outcomes.total()
        assert number < 3 * TRIALS, outcomes
        worker = start_worker(cloud, dive.queue, tmp_path / f"log-{number}", tmp_path / f"work-{number}")
        # When
        moment = chance.uniform(begun, ended)
        wait_for(lambda: _used(worker) >= moment or dive.status() == "SUCCEEDED", "the moment", 120)  # noqa: B023
        before = cloud.segments(dive.video)
        stop = _stopped(worker)
        # Then
        where = f"worker {number}, SEED={SEED}: {stop.lines[-3:]}"
        outcome = _judge(cloud, dive, stop, before, where)
        outcomes[outcome] += 1
        if outcome == "given back":
            longest, most = max(longest, _own_seconds(stop)), max(most, stop.processor)
            restored += [int(frames) for frames in stop.says("went on behind frame ")]
    print(
        f"SIGTERM, SEED={SEED}: {dict(outcomes)}; the longest took {longest:.2f} s by its own clock and "
        f"{most:.2f} s of the processor; went on behind frames {restored}"
    )
    assert outcomes["given back"] == TRIALS
    assert restored != []
    ended, counted = _all_ended(cloud, dive, tmp_path)
    keep(Row("SIGTERM", "real worker", TRIALS, dive.number + 1 - ended, counted - ended))
    assert ended == counted == dive.number + 1


def _all_ended(cloud: Cloud, dive: Dive, folder: Path) -> tuple[int, int]:
    """How many videos have ended well when nobody stops the last worker, and how many are counted."""
    worker = start_worker(cloud, dive.queue, folder / "log-last", folder / "work-last")
    wait_for(lambda: dive.status() == "SUCCEEDED" and cloud.in_queue(dive.queue) == (0, 0), "the end", 240)
    assert _stopped(worker).code == 0
    records = [cloud.record(f"dive-{number}") for number in range(dive.number + 1)]
    return [one.get("status") for one in records].count("SUCCEEDED"), cloud.counted()


def _judge(cloud: Cloud, dive: Dive, stop: Stop, before: set[str], where: str) -> str:
    """Every way to end is clean; which one it was."""
    wait_for(lambda: not any(map(_lives, stop.decoders)), f"the end of the decoders of {where}")
    if dive.status() == "SUCCEEDED":
        assert (stop.code, cloud.in_queue(dive.queue)) == (0, (0, 0)), where
        return "had ended"
    assert cloud.in_queue(dive.queue) == (1, 0), where
    assert before <= cloud.segments(dive.video), where
    assert dive.video.replace("videos/", "tracks/").replace(".mp4", ".tracks.tar.gz") not in cloud.keys(
        "results"
    )
    if not stop.says(f"video {dive.video}, attempt"):
        assert stop.code in {0, -signal.SIGTERM}, where
        return "was starting"
    assert (stop.code, dive.status()) == (0, "QUEUED"), where
    assert _own_seconds(stop) < SECONDS > stop.processor, where
    return "given back"


def _own_seconds(stop: Stop) -> float:
    (seconds,) = stop.says("stopped after ")
    return float(seconds.removesuffix(" s"))


def _whole(cloud: Cloud, dive: Dive, folder: Path) -> tuple[float, float]:
    worker, moments = start_worker(cloud, dive.queue, folder / "log-whole", folder / "work-whole"), []
    for status in ("RUNNING", "SUCCEEDED"):
        wait_for(lambda status=status: dive.status() in {status, "SUCCEEDED"}, status, 240)
        moments.append(_used(worker))
    assert _stopped(worker).code == 0
    return moments[0], moments[1]


def _stopped(worker: Process) -> Stop:
    pid, before, decoders = worker.process.pid, _used(worker), _children(worker.process.pid)
    worker.process.send_signal(signal.SIGTERM)
    _, status, usage = os.wait4(pid, 0)
    worker.process.returncode = os.waitstatus_to_exitcode(status)
    return Stop(worker.process.returncode, worker.lines(), usage.ru_utime + usage.ru_stime - before, decoders)


def _used(worker: Process) -> float:
    """Processor seconds of the worker, and of the decoders that it has buried."""
    fields = Path(f"/proc/{worker.process.pid}/stat").read_text().rpartition(")")[2].split()
    assert fields[0] != "Z", worker.log.read_text()
    return sum(map(int, fields[11:15])) / TICKS


def _children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for task in tasks for child in task.read_text().split()]


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
