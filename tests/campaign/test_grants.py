"""A role stripped of any one grant makes the end-to-end run fail.

Default: a sample by a printed seed; ``FULL=1`` strips every grant. ``SEED=<n>`` repeats a sample.
"""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from grants import Grant, grants, idle_actions, without
from house import MODEL, House
from shoal_cli.errors import CliError
from shoal_cli.watch import watch_jobs
from shoal_detector.render import render_video
from shoal_local.clock import Clock
from shoal_local.cloud import Cloud
from worker_fixtures import write_video

CLOCK = 120.0
SAMPLE = 12
SHARDS = 2
FULL = os.environ.get("FULL") == "1"
SEED = int(os.environ.get("SEED") or 1)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("cloud")
    with Cloud(clock=Clock(CLOCK), state_folder=folder) as cloud:
        yield House(cloud, patience=90)


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short video; ``long.mp4`` beside it takes the worker minutes."""
    folder = tmp_path_factory.mktemp("videos")
    render_video(folder / "reef.mp4", seed=303, frames=20)
    write_video(folder / "long.mp4", 9000, size=320)
    return folder / "reef.mp4"


_OVER = frozenset({"DELETED", "FAILED"})


def run(house: House, video: Path, number: int) -> list[str]:
    """The end-to-end run; everything in it that did not go as it should."""
    house.cloud.iam.ledger.clear()
    return list(_wrong(house, video, f"life-{number}", f"fall-{number}"))


def _wrong(house: House, video: Path, life: str, fall: str) -> Iterator[str]:
    before = house.account()
    for scene in (_register, _live, _look, _change, _work, _end, _fail, _stop, _give_up):
        try:
            yield from scene(house, video, life, fall)
        except CliError as error:
            yield f"{scene.__name__}: {error.message}"
        yield from _denied(house)
        if _denied(house):
            return
    if house.account() != before:
        yield f"left: {sorted(house.account() ^ before)}"


def _denied(house: House) -> list[str]:
    report = house.cloud.iam_report()
    return [f"{role} was denied {one['action']}" for role, entry in report.items() for one in entry["denied"]]


def _register(house: House, video: Path, life: str, fall: str) -> Iterator[str]:
    house.register()
    list(house.api.models())
    house.api.model("drifters")
    yield from ()


def _live(house: House, video: Path, life: str, fall: str) -> Iterator[str]:
    ready = house.deploy(life, notify=["scientist@example.org"], fleet_size=2)
    list(house.api.deployments())
    if ready["status"] != "READY":
        yield f"it is {ready['status']}: {ready['reason']}"


def _change(house: House, video: Path, life: str, fall: str) -> Iterator[str]:
    """Updated, updated wrongly, rolled back, stopped and started: what each should end as."""
    spec = {"name": life, "registered_model": MODEL, "serves": ["queue", "endpoint"], "fleet_size": 2}
    broken = {
        "model_location": _put(house, "models/broken.onnx", b"no model"),
        "instance_type": "g4dn.xlarge",
        "timeout_hours": 3,
    }
    wrong = {name: value for name, value in spec.items() if name != "registered_model"} | broken
    config = _put(house, "track-config/bytetrack.yaml", b"tracker_type: bytetrack\ntrack_buffer: 60\n")
    house.api.update(life, spec | {"instance_type": "g6.xlarge", "track_config": config})
    yield from _unlike(house.settled(life), "READY", 2)
    house.api.update(life, wrong)
    yield from _unlike(house.settled(life), "READY", 2)
    for action, status in (("rollback", "READY"), ("stop", "STOPPED"), ("start", "READY")):
        house.api.change(life, action, {})
        yield from _unlike(house.settled(life), status, 1)
    list(house.api.revisions(life))


def _put(house: House, key: str, body: bytes) -> str:
    bucket = house.connection.data_bucket
    house.connection.client("s3").put_object(Bucket=bucket, Key=key, Body=body)
    return f"s3://{bucket}/{key}"


def _unlike(found: dict[str, Any], status: str, revision: int) -> Iterator[str]:
    if (found["status"], found["revision"]) != (status, revision):
        yield f"it is {found['status']} at revision {found['revision']}: {found['reason']}"


def _look(house: House, video: Path, life: str, fall: str) -> Iterator[str]:
    """The doctor sees everything and finds nothing."""
    report = house.api.doctor(now=True)
    yield from report["blind"]
    yield from (f"{one['problem']} {one['kind']} {one['name']}" for one in report["findings"])
    house.api.doctor()
    list(house.api.events(life))


def _work(house: House, video: Path, life: str, fall: str) -> Iterator[str]:
    """Two videos wake a second worker; when they are done it goes again."""
    keys = [house.upload(video, f"videos/{life}/{number}.mp4") for number in (1, 2)]
    jobs = house.api.submit(life, {"videos": keys, "clean": True, "job_name": "dive"})["jobs"]
    records = watch_jobs(
        house.api, life, [job["job_id"] for job in jobs], timeout_seconds=45, poll_seconds=0.2
    )
    yield from (f"{job['video']}: {job['reason']}" for job in records if job["status"] != "SUCCEEDED")
    yield from _read_a_list(house, video, life)
    yield from _unless(lambda: _desired(house, life) == 1, house, "the fleet does not shrink")


def _read_a_list(house: House, video: Path, life: str) -> Iterator[str]:
    """Its last line is beyond what the request reads; the end of the first dive is mailed meanwhile."""
    key = house.upload(video, f"videos/{life}/listed.mp4")
    where = _put(house, f"manifests/{life}/list.csv", ("\n" * 30 + key).encode())
    house.api.submit(life, {"manifest": where})
    yield from _unless(lambda: _dive(house, life)["succeeded"] == 1, house, "the list is not read")
    yield from _unless(lambda: _is_mailed(house, life), house, "the end of the dive is not mailed")


def _is_mailed(house: House, life: str) -> bool:
    mails = [one for one in house.cloud.mailbox() if "dive: 2 of 2 videos tracked" in one["subject"]]
    return any(f"{life}, revision" in one["text"] for one in mails)


def _dive(house: House, life: str) -> dict[str, Any]:
    return next(one for one in house.api.dives(life) if one["job_name"] == "list")


def _desired(house: House, life: str) -> int:
    name = f"shoal-prod-{life}"
    found = house.connection.client("ecs").describe_services(cluster=name, services=[name])
    return int(found["services"][0]["desiredCount"])


def _unless(holds: Callable[[], bool], house: House, wrong: str) -> Iterator[str]:
    deadline = time.monotonic() + 60
    while not holds():
        if _denied(house) or time.monotonic() > deadline:
            yield wrong
            return
        time.sleep(0.2)


def _end(house: House, video: Path, life: str, fall: str) -> Iterator[str]:
    """The deletion comes in the middle of a video."""
    key = house.upload(video.with_name("long.mp4"), f"videos/{life}/long.mp4")
    job = house.api.submit(life, {"videos": [key]})["jobs"][0]["job_id"]
    yield from _unless(lambda: house.api.job(life, job)["status"] == "RUNNING", house, "the video waits")
    final = house.delete(life)
    if final["status"] != "DELETED":
        yield f"it is {final['status']}: {final['reason']}"


def _fail(house: House, video: Path, life: str, fall: str) -> Iterator[str]:
    house.cloud.faults.set(fall, "crash")
    final = house.deploy(fall, routing="host")
    if final["status"] != "FAILED":
        yield f"it is {final['status']}: {final['reason']}"


def _stop(house: House, video: Path, life: str, fall: str) -> Iterator[str]:
    """Its execution is stopped from outside while it waits for an instance."""
    name = fall.replace("fall", "stop")
    house.cloud.faults.set(name, "capacity")
    house.api.deploy({"name": name, "registered_model": MODEL, "serves": ["endpoint"]})
    yield from _unless(lambda: "capacity" in house.api.deployment(name)["reason"], house, "it does not wait")
    machine = house.connection.outputs["DeployStateMachine"].replace(":stateMachine:", ":execution:")
    house.connection.client("stepfunctions").stop_execution(executionArn=f"{machine}:{name}-r1-g1")
    final = house.settled(name)
    if final["status"] != "FAILED":
        yield f"it is {final['status']}: {final['reason']}"


def _give_up(house: House, video: Path, life: str, fall: str) -> Iterator[str]:
    """The last execution that is begun again is said to have died: somebody is told, and deletes it."""
    name = fall.replace("fall", "lost")
    house.cloud.faults.set(name, "capacity")
    house.api.deploy({"name": name, "registered_model": MODEL, "serves": ["endpoint"]})
    yield from _unless(lambda: "capacity" in house.api.deployment(name)["reason"], house, "it does not wait")
    given = {"deployment": name, "generation": 1, "recoveries": 3}
    event = {
        "detail-type": "Step Functions Execution Status Change",
        "detail": {"name": f"{name}-r1-g1", "status": "TIMED_OUT", "input": json.dumps(given)},
    }
    house.cloud.client("lambda").invoke(FunctionName="shoal-prod-recovery", Payload=json.dumps(event))
    yield from _unlike(house.settled(name), "ROLLBACK_FAILED", 1)
    if not any(f"{name} is ROLLBACK_FAILED" in mail["subject"] for mail in house.cloud.mailbox()):
        yield f"nobody was told of {name}"
    if house.delete(name)["status"] != "DELETED":
        yield f"{name} cannot be deleted"


def _recover(house: House) -> None:
    """With the grant back, the product removes what the broken run left, whatever state that is in."""
    for _ in range(2):
        for deployment in list(house.api.deployments()):
            if deployment["status"] not in _OVER:
                house.delete(deployment["name"])
    assert [one for one in house.api.deployments() if one["status"] not in _OVER] == []


@pytest.mark.parametrize("shard", range(SHARDS))
def test_the_run_fails_without_any_one_grant(house: House, video: Path, shard: int) -> None:
    # Given
    assert run(house, video, 0) == []
    idle = idle_actions(house.cloud.iam_report())
    iam: Any = house.cloud.client("iam")
    used = [grant for grant in grants(iam) if (grant.role, grant.statement, grant.action) not in idle]
    everything = sorted(used, key=lambda grant: (grant.statement, grant.action, grant.policy))
    chosen: list[Grant] = everything if FULL else random.Random(SEED).sample(everything, SAMPLE)
    # When
    survivors = []
    for number, grant in enumerate(chosen[shard::SHARDS], 1):
        with without(iam, grant):
            wrong = run(house, video, number)
        print(f"{number:4} {grant}: {wrong[0][:100] if wrong else 'NOTHING FAILED'}", flush=True)
        survivors += [] if wrong else [str(grant)]
        _recover(house)
    # Then
    print(f"{len(chosen[shard::SHARDS])} of {len(everything)} grants, SEED={SEED}")
    assert survivors == [], f"repeat with SEED={SEED}"
