"""A real worker killed (SIGKILL) at drawn moments of a video's life: another takes over, nothing is lost.

A moment is a call to AWS, before its effect or after it, or a number of processor seconds of decoding. The
record, the sums, the queue, the dead letter queue and the results are looked at, not only the bytes.
"""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from campaign.worker_table import Row, keep
from shoal.aws import client
from shoal.settings import settings
from worker_fixtures import write_video
from worker_kills import RECEIVES, WORKER, Ledger, Moment, Trap, queues, shifted_clock
from worker_process import KEYS, REGION, Process, cloud_on_loopback, start_worker, wait_for

FULL = os.environ.get("FULL") == "1"
SEED = int(os.environ.get("SEED") or 1)
DRAWN, DECODING = 20, 6
FRAMES = 600
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Bench:
    """A ledger, the trap before its cloud, and the one worker that is alive."""

    ledger: Ledger
    trap: Trap
    folder: Path
    started: int = 0
    worker: Process | None = None
    decoding: tuple[float, float] = (0.0, 0.0)
    calls: list[str] = field(default_factory=list)

    def start(self) -> Process:
        log, work = (self.folder / f"{name}-{self.started}" for name in ("log", "work"))
        more = {"SHOAL_SERVES": "queue", "AWS_EXECUTION_ENV": WORKER}
        self.worker = start_worker(self.ledger.cloud, self.ledger.queue, log, work, **more)
        self.started += 1
        return self.worker

    def kill(self) -> None:
        assert self.worker is not None
        self.worker.process.send_signal(signal.SIGKILL)

    def bury(self) -> None:
        """What was killed died of it."""
        assert self.worker is not None
        assert self.worker.process.wait(30) == -signal.SIGKILL

    def until_over(self, name: str) -> None:
        """The others' time passes, too: what the dead one held comes free."""
        self.ledger.pass_time()
        wait_for(lambda: self.ledger.is_over(name), f"the end of {name}", 120)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    folder, traps = tmp_path_factory.mktemp("kills"), list[Trap]()

    def before(moto: object) -> Trap:
        traps.append(Trap(moto))
        return traps[0]

    with pytest.MonkeyPatch.context() as patched, cloud_on_loopback(folder, before) as cloud:
        for name, value in (
            KEYS.items() | {"AWS_DEFAULT_REGION": REGION, "DEPLOYMENTS_TABLE": "deployments"}.items()
        ):
            patched.setenv(name, value)
        patched.setenv("AWS_ENDPOINT_URL", cloud.endpoint)
        settings.cache_clear()
        client.cache_clear()
        made = Bench(Ledger(cloud, *queues(cloud, "kills")), traps[0], folder)
        shifted_clock(made.ledger, patched)
        yield made
        if made.worker is not None and made.worker.process.poll() is None:
            made.kill()
            made.bury()
    settings.cache_clear()
    client.cache_clear()


def test_killed_at_any_moment_no_video_is_lost_or_counted_twice(bench: Bench) -> None:
    # Given the calls of a life without a kill, and the processor seconds of its decoding
    content = write_video(bench.folder / "dive.mp4", FRAMES).read_bytes()
    videos = [_undisturbed(bench, content)]
    chance = random.Random(SEED)
    moments = _drawn(bench.calls, chance)
    # When each next worker is killed once, at one of them
    for number, moment in enumerate(moments):
        videos.append(_killed_at(bench, f"dive-{number}", content, moment))
        _next_worker(bench, f"dive-{number}")
    kills, tries = len(moments), 0
    while kills < len(moments) + DECODING:
        tries += 1
        assert tries <= 3 * DECODING, "videos end before their worker can be killed"
        video, killed = _killed_decoding(bench, f"decode-{tries}", content, chance)
        videos.append(video)
        if killed:
            kills += 1
            _next_worker(bench, f"decode-{tries}")
    # Then
    lost, more = bench.ledger.wrong(videos, str(FRAMES))
    print(f"SIGKILL, SEED={SEED}: {kills} kills: {DECODING} while decoding, {', '.join(map(str, moments))}")
    keep(Row("SIGKILL", "real worker", kills, len(lost), len(more)))
    assert (lost, more) == ([], [])
    assert (
        bench.ledger.cloud.in_queue(bench.ledger.queue)
        == bench.ledger.cloud.in_queue(bench.ledger.dead)
        == (0, 0)
    )
    assert bench.ledger.cloud.keys("videos") == set()
    assert bench.started == kills + 1


def test_a_video_that_kills_each_worker_has_exactly_its_receives(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given
    ledger = bench.ledger
    video = ledger.submit("poison", write_video(bench.folder / "poison.mp4", 8).read_bytes())
    # When every worker dies as soon as it has the file
    for receive in range(1, RECEIVES + 1):
        if receive > 1:
            bench.start()
        bench.trap.arm(Moment("download", 1, "after"), bench.kill)
        wait_for(lambda: bench.trap.sprung, f"receive {receive}", 120)
        bench.bury()
        ledger.pass_time()
    bench.start()
    wait_for(lambda: ledger.cloud.in_queue(ledger.dead) == (1, 0), "the dead letter", 60)
    # Then no sixth one got it, and the ledger says what it knows
    assert ledger.cloud.in_queue(ledger.queue) == (0, 0)
    assert ledger.end_what_nobody_has(monkeypatch) == (0, 1)
    record = ledger.cloud.record("poison")
    assert (record["status"], record["attempts"]) == ("FAILED", str(RECEIVES))
    assert f"its worker ended {RECEIVES} times without a word" in record["reason"]
    assert ledger.cloud.keys("videos") == {video}
    keep(Row("SIGKILL", "real worker, poison", RECEIVES, 0, 0, [int(record["attempts"])], [RECEIVES]))


def _undisturbed(bench: Bench, content: bytes) -> str:
    worker = bench.start()
    bench.trap.arm(None)
    video = bench.ledger.submit("undisturbed", content)
    moments = []
    for status in ("RUNNING", "SUCCEEDED"):
        wait_for(lambda status=status: _status(bench, "undisturbed") in {status, "SUCCEEDED"}, status, 120)
        moments.append(_used(worker))
    wait_for(lambda: bench.ledger.is_over("undisturbed"), "its end", 60)
    bench.decoding = (moments[0], moments[1])
    bench.calls = list(bench.trap.seen)
    return video


def _drawn(calls: list[str], chance: random.Random) -> list[Moment]:
    """Each kind of call once, at a drawn place and side, and more up to :data:`DRAWN`; all with FULL=1."""
    places = [(call, calls[: at + 1].count(call)) for at, call in enumerate(calls)]
    every = [Moment(call, number, side) for call, number in places for side in ("before", "after")]
    every.remove(Moment("receive", 1, "before"))
    if FULL:
        return every
    chance.shuffle(every)
    kinds = list({moment.call: moment for moment in every}.values())
    rest = [moment for moment in every if moment not in kinds]
    return [*kinds, *rest[: max(0, DRAWN - len(kinds))]]


def _killed_at(bench: Bench, name: str, content: bytes, moment: Moment) -> str:
    bench.trap.arm(moment, bench.kill)
    video = bench.ledger.submit(name, content)
    wait_for(lambda: bench.trap.sprung, f"{moment} of {name}", 120)
    bench.bury()
    return video


def _killed_decoding(bench: Bench, name: str, content: bytes, chance: random.Random) -> tuple[str, bool]:
    """The video, and whether its worker was killed before it had ended."""
    worker, (begun, ended) = bench.worker, bench.decoding
    assert worker is not None
    bench.trap.arm(None)
    video = bench.ledger.submit(name, content)
    wait_for(lambda: _status(bench, name) in {"RUNNING", "SUCCEEDED"}, f"the beginning of {name}", 60)
    enough = _used(worker) + chance.uniform(0.0, 0.8) * (ended - begun)
    wait_for(lambda: _used(worker) >= enough or _status(bench, name) != "RUNNING", "the moment", 60)
    if _status(bench, name) != "RUNNING":
        wait_for(lambda: bench.ledger.is_over(name), f"the end of {name}", 60)
        return video, False
    bench.kill()
    bench.bury()
    return video, True


def _next_worker(bench: Bench, name: str) -> None:
    bench.start()
    bench.until_over(name)


def _status(bench: Bench, name: str) -> str:
    return bench.ledger.cloud.record(name).get("status", "")


def _used(worker: Process) -> float:
    """Processor seconds of the worker, and of the decoders that it has buried."""
    fields = Path(f"/proc/{worker.process.pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / TICKS
