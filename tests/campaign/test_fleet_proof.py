"""0 -> N -> 0: real workers on a simulated fleet on Spot, thirty videos, two of them poison, one worker
killed, one Spot notice; everything is accounted for, and nothing is left.

A killed worker's message comes back after five minutes of real time, which the embedded cloud does not
shorten: for that one video they are made to pass.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from campaign.worker_table import PAGE, put
from fleet_world import pids
from house import House
from shoal.contracts.job import dive_key, job_key, result_key, tally_key
from shoal_cli.errors import NoCloud
from shoal_detector.render import render_video
from shoal_local.clock import Clock
from shoal_local.cloud import Cloud
from shoal_local.names import backend
from shoal_local.strict.engine import LOCK

CLOCK, NAME, DIVE = 30.0, "swarm", "proof"
GOOD, SEEDS, FRAMES, LONG = 28, 4, 45, 400
SIZE = (320, 192)
WORKERS = 3
SPEC = {
    "serves": ["queue"], "notify": ["diver@example.org"],
    "fleet_size": WORKERS, "spot": True, "on_demand_base": 1,
    "instance_type": "g6.xlarge", "instance_types": ["g5.xlarge", "g4dn.xlarge"],
}  # fmt: skip
PAUSE = 0.1


@dataclass
class Proof:
    """The cloud, what is in it, and the most that was seen of each."""

    house: House
    peak: dict[str, int] = field(default_factory=dict)

    @property
    def cluster(self) -> str:
        return f"shoal-prod-{NAME}"

    def client(self, service: str) -> Any:
        return self.house.connection.client(service)

    def item(self, key: dict[str, str]) -> dict[str, str]:
        table = self.house.connection.outputs["DeploymentsTable"]
        wanted = {name: {"S": text} for name, text in key.items()}
        item = self.client("dynamodb").get_item(TableName=table, Key=wanted).get("Item", {})
        return _plain(item)

    def jobs(self) -> list[dict[str, str]]:
        """Each job's whole record."""
        values = {":pk": {"S": tally_key(NAME)["pk"]}, ":job": {"S": "JOB#"}}
        found = self.client("dynamodb").query(
            TableName=self.house.connection.outputs["DeploymentsTable"], ConsistentRead=True,
            KeyConditionExpression="pk = :pk AND begins_with(sk, :job)", ExpressionAttributeValues=values,
        )  # fmt: skip
        return [_plain(item) for item in found["Items"]]

    def look(self) -> dict[str, int]:
        """What runs now."""
        ecs = self.client("ecs")
        group = self.client("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=[self.cluster])
        seen = {
            "instances": len(group["AutoScalingGroups"][0]["Instances"]),
            "workers": len(ecs.list_tasks(cluster=self.cluster, desiredStatus="RUNNING")["taskArns"]),
        }
        self.peak = {name: max(count, self.peak.get(name, 0)) for name, count in seen.items()}
        return seen

    def until(self, holds: Callable[[], Any], what: str, seconds: float = 240) -> Any:
        """Of its own pauses: what stops this process does not count."""
        for _ in range(int(seconds / PAUSE)):
            self.look()
            found = holds()
            if found:
                return found
            time.sleep(PAUSE)
        raise AssertionError(f"not within {seconds} s: {what}: {self.look()}, {self.jobs()}")

    def at_work(self, video: str) -> Any:
        """The task whose worker has this video in hand, and decodes it; None before."""
        fleet = self.house.cloud.fleet
        assert fleet is not None
        found = list(fleet.folder.glob(f"tasks/*/video-*/in/{Path(video).name}"))
        if not found or self.status(video) != "RUNNING":
            return None
        with LOCK:
            tasks = backend("ecs").tasks.get(self.cluster, {}).values()
            return next((one for one in tasks if one.id == found[0].parts[-4]), None)

    def status(self, video: str) -> str:
        return next(job["status"] for job in self.jobs() if job["video"] == video)


@pytest.fixture(scope="module")
def proof(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proof]:
    folder = tmp_path_factory.mktemp("cloud")
    with Cloud(clock=Clock(CLOCK), state_folder=folder) as cloud:
        yield Proof(House(cloud, patience=240))


def _plain(item: dict[str, Any]) -> dict[str, str]:
    return {name: str(next(iter(value.values()))) for name, value in item.items()}


def _videos(proof: Proof, folder: Path) -> list[str]:
    """Thirty: two long enough to be met at work, a truncated one, one that is none."""
    for seed in range(SEEDS):
        frames = FRAMES if seed else LONG
        render_video(folder / f"{seed}.mp4", seed=900 + seed, frames=frames, width=SIZE[0], height=SIZE[1])
    whole = (folder / "1.mp4").read_bytes()
    (folder / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    (folder / "none.mp4").write_bytes(b"this is no video")
    sources = [0, 0, *(1 + number % (SEEDS - 1) for number in range(GOOD - 2))]
    names = [(f"dive-{number:02d}.mp4", f"{source}.mp4") for number, source in enumerate(sources)]
    names += [("truncated.mp4", "cut.mp4"), ("none.mp4", "none.mp4")]
    return [proof.house.upload(folder / source, f"videos/{NAME}/{name}") for name, source in names]


def _met(proof: Proof, videos: list[str]) -> tuple[str, Any, Any] | None:
    """Both are in hand: the one whose worker is to be killed, its task, and a task on a Spot instance."""
    tasks = {video: proof.at_work(video) for video in videos}
    if not all(tasks.values()):
        return None
    spot = next(video for video in reversed(videos) if _machine(proof, tasks[video]).lifecycle == "spot")
    other = next(video for video in videos if video != spot)
    return other, tasks[other], tasks[spot]


def _strike(proof: Proof, killed: Any, taken: Any) -> str:
    """SIGKILL to one worker, a Spot notice to the instance of another; answers the instance."""
    fleet, instance = proof.house.cloud.fleet, str(_machine(proof, taken).id)
    assert fleet is not None
    (pid,) = [one for one in pids(f"SHOAL_WORK_DIR={fleet.folder / 'tasks' / killed.id}") if _is_worker(one)]
    os.kill(pid, signal.SIGKILL)
    fleet.interrupt(instance)
    proof.until(lambda: killed.last_status == taken.last_status == "STOPPED", "the end of both workers")
    assert (killed.container.exit_code, taken.stop_code, taken.container.exit_code) == (
        137,
        "UserInitiated",
        0,
    )
    return instance


def _is_worker(pid: int) -> bool:
    return b"shoal_worker" in Path(f"/proc/{pid}/cmdline").read_bytes()


def _pass_time_for(proof: Proof, video: str) -> None:
    """What the killed worker held is free, its message and its lease."""
    job = next(one for one in proof.jobs() if one["video"] == video)
    assert job["status"] == "RUNNING"
    proof.client("dynamodb").update_item(
        TableName=proof.house.connection.outputs["DeploymentsTable"],
        Key={name: {"S": text} for name, text in job_key(NAME, job["job_id"]).items()},
        UpdateExpression="SET lease_until = :past", ExpressionAttributeValues={":past": {"N": "0"}},
    )  # fmt: skip
    for queue in backend("sqs").queues.values():
        for message in queue._messages:
            if video in message.body:
                message.visible_at = 0


def _machine(proof: Proof, task: Any) -> Any:
    hosts = backend("ecs").container_instances[proof.cluster]
    host = hosts[task.container_instance_arn.rsplit("/", 1)[-1]]
    return backend("ec2").get_instance_by_id(host.ec2_instance_id)


def test_from_nothing_to_a_fleet_and_back_everything_is_accounted_for(proof: Proof, tmp_path: Path) -> None:
    # Given a deployment that sleeps
    house = proof.house
    before = house.account()
    house.register()
    ready = house.deploy(NAME, **SPEC)
    assert ready["status"] == "READY", ready
    assert proof.until(lambda: proof.look() == {"instances": 0, "workers": 0}, "an empty fleet")
    proof.peak.clear()
    videos = _videos(proof, tmp_path)
    # When a dive comes, a worker is killed and an instance is taken back
    proof.until(lambda: _submitted(house, videos), "the submission")
    video, killed, noticed = proof.until(lambda: _met(proof, videos[:2]), "both long videos at work")
    taken = _strike(proof, killed, noticed)
    _pass_time_for(proof, video)
    proof.until(
        lambda: all(job["status"] in {"SUCCEEDED", "FAILED"} for job in proof.jobs()), "all ends", 600
    )
    proof.until(lambda: proof.look() == {"instances": 0, "workers": 0}, "the fleet is gone again")
    proof.until(lambda: _mails(house), "the dive's mail")
    # Then
    facts = _facts(proof, videos, taken)
    rows = ["| what | wanted | found |", "|---|---:|---:|", *(f"| {a} | {b} | {c} |" for a, b, c in facts)]
    print("\n".join(rows))
    if os.environ.get("WRITE") == "1":
        put(PAGE, rows, "fleet proof")
    denied = [one for entry in house.cloud.iam_report().values() for one in entry["denied"]]
    poison = [job for job in proof.jobs() if job["status"] == "FAILED"]
    assert [fact for fact in facts if fact[1] != fact[2]] == [], (denied, poison)
    assert all("not a video" in job["reason"] for job in poison), poison
    assert house.delete(NAME)["status"] == "DELETED"
    assert house.account() == before


def _submitted(house: House, videos: list[str]) -> bool:
    """Again where the API did not answer, on a machine that is busy: the same work is done once."""
    try:
        return bool(house.api.submit(NAME, {"videos": videos, "job_name": DIVE}))
    except NoCloud:
        return False


def _mails(house: House) -> list[Any]:
    return [mail for mail in house.cloud.mailbox() if f"{DIVE}: " in mail["subject"]]


def _facts(proof: Proof, videos: list[str], taken: str) -> list[tuple[str, int, int]]:
    """What is counted, what it should be, and what it is."""
    jobs, left = proof.jobs(), proof.look()
    good = [job for job in jobs if job["status"] == "SUCCEEDED"]
    bad = [job for job in jobs if job["status"] == "FAILED" and job["reason"]]
    results = _results(proof)
    sums = [proof.item(key) for key in (tally_key(NAME), dive_key(NAME, DIVE))]
    machine = backend("ec2").get_instance_by_id(taken)
    report = proof.house.cloud.iam_report()
    return [
        ("videos submitted", len(videos), len(jobs)),
        ("videos SUCCEEDED", GOOD, len(good)),
        ("poison FAILED with a diagnosis", 2, len(bad)),
        ("results in the bucket", GOOD, len(results)),
        ("of them nobody's", 0, len(results - {result_key(job["video"]) for job in good})),
        ("counted as succeeded, by deployment and dive", 2 * GOOD, _sum(sums, "succeeded")),
        ("counted as failed, by deployment and dive", 4, _sum(sums, "failed")),
        ("receives of the two poisons, permanent at the first", 2, sum(int(one["attempts"]) for one in bad)),
        ("attempts at the good ones: one more for the kill and for the notice", GOOD + 2, _attempts(good)),
        ("given back by the worker that was told to stop", 1, _sum(good, "released")),
        ("mails of the dive's end", 1, len(_mails(proof.house))),
        ("most workers at a time", WORKERS, proof.peak["workers"]),
        ("the instance with the notice terminated", 1, int(machine.state == "terminated")),
        ("instances at the end", 0, left["instances"]),
        ("workers at the end", 0, left["workers"]),
        ("messages left, dead letters too", 0, _messages()),
        ("calls that a role was denied", 0, sum(len(entry["denied"]) for entry in report.values())),
    ]


def _results(proof: Proof) -> set[str]:
    bucket = proof.house.connection.data_bucket
    found = proof.client("s3").list_objects_v2(Bucket=bucket, Prefix="tracks/").get("Contents", [])
    return {str(one["Key"]) for one in found}


def _attempts(jobs: list[dict[str, str]]) -> int:
    return sum(int(job["attempts"]) for job in jobs)


def _sum(items: list[dict[str, str]], name: str) -> int:
    return sum(int(item.get(name, 0)) for item in items)


def _messages() -> int:
    return sum(len(queue._messages) for queue in backend("sqs").queues.values())
