"""A role stripped of any one grant makes the end-to-end run fail.

Default: a sample by a printed seed; ``FULL=1`` strips every grant. ``SEED=<n>`` repeats a sample.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from grants import Grant, grants, without
from house import SEED_BUCKETS, House
from shoal_cli.errors import CliError
from shoal_cli.watch import watch_jobs
from shoal_detector.render import render_video
from shoal_local.clock import Clock
from shoal_local.cloud import Cloud

CLOCK = 120.0
SAMPLE = 12
FULL = os.environ.get("FULL") == "1"
SEED = int(os.environ.get("SEED") or 0) or random.SystemRandom().randrange(1, 1_000_000)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("cloud")
    with Cloud(clock=Clock(CLOCK), state_folder=folder, parameters={"ModelBuckets": SEED_BUCKETS}) as cloud:
        yield House(cloud)


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("videos") / "reef.mp4"
    render_video(path, seed=303, frames=20)
    return path


_OVER = frozenset({"DELETED", "FAILED"})


def run(house: House, video: Path, number: int) -> list[str]:
    """The end-to-end run; everything in it that did not go as it should."""
    house.cloud.iam.ledger.clear()
    return list(_wrong(house, video, f"life-{number}", f"fall-{number}"))


def _wrong(house: House, video: Path, life: str, fall: str) -> Iterator[str]:
    before = house.account()
    for scene in (_register, _live, _work, _end, _fail):
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
    ready = house.deploy(life, notify=["scientist@example.org"])
    list(house.api.deployments())
    if ready["status"] != "READY":
        yield f"it is {ready['status']}: {ready['reason']}"


def _work(house: House, video: Path, life: str, fall: str) -> Iterator[str]:
    key = f"videos/{life}/reef.mp4"
    house.connection.client("s3").upload_file(str(video), house.connection.data_bucket, key)
    jobs = house.api.submit(life, {"videos": [key], "clean": True, "job_name": "dive"})["jobs"]
    records = watch_jobs(
        house.api, life, [job["job_id"] for job in jobs], timeout_seconds=45, poll_seconds=0.2
    )
    yield from (f"{job['video']}: {job['reason']}" for job in records if job["status"] != "SUCCEEDED")


def _end(house: House, video: Path, life: str, fall: str) -> Iterator[str]:
    final = house.delete(life)
    if final["status"] != "DELETED":
        yield f"it is {final['status']}: {final['reason']}"


def _fail(house: House, video: Path, life: str, fall: str) -> Iterator[str]:
    house.cloud.faults.set(fall, "crash")
    final = house.deploy(fall)
    if final["status"] != "FAILED":
        yield f"it is {final['status']}: {final['reason']}"


def _recover(house: House) -> None:
    """With the grant back, everything that the broken run left is removed by the product itself."""
    for deployment in list(house.api.deployments()):
        if deployment["status"] in _OVER or house.settled(deployment["name"])["status"] in _OVER:
            continue
        assert house.delete(deployment["name"])["status"] == "DELETED"


def test_the_run_succeeds_with_all_grants_and_fails_without_any_one(house: House, video: Path) -> None:
    # Given
    assert run(house, video, 0) == []
    iam: Any = house.cloud.client("iam")
    everything = grants(iam)
    chosen: list[Grant] = everything if FULL else random.Random(SEED).sample(everything, SAMPLE)
    print(f"\n{len(chosen)} of {len(everything)} grants, SEED={SEED}")
    # When
    survivors = []
    for number, grant in enumerate(chosen, 1):
        with without(iam, grant):
            wrong = run(house, video, number)
        print(f"{number:4} {grant}: {wrong[0][:100] if wrong else 'NOTHING FAILED'}", flush=True)
        survivors += [] if wrong else [str(grant)]
        _recover(house)
    # Then
    assert survivors == []
