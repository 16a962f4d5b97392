"""Every fault of a worker's life, one at a time: no video lost, no result counted twice, poison told of.

Three videos (one plain, one with ``clean``, one that kills its worker) go through the real consumer, records
and storage on moto, with the real ledger behind. Each AWS call is hit by each kind. All of them by default;
``SAMPLE=n`` takes n calls of each kind, by ``SEED``.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from campaign.worker_table import Row, keep
from moto import mock_aws
from shoal.aws import client
from shoal.settings import settings
from worker_faults import KINDS, Clock, Fault, World, no_time_but

REGION = "us-west-2"
_FAULTS = {
    "throttled": "throttle", "denied once": "denied once", "server error": "server error",
    "answer lost": "lost answer", "killed before": "crash before a call",
    "killed after": "crash after a call",
    "told to stop": "SIGTERM", "visibility lost": "heartbeat lost", "delivered twice": "duplicate delivery",
    "disk full": "disk full", "queue deleted": "queue deleted",
}  # fmt: skip


@pytest.fixture(scope="module")
def clients() -> dict[str, Any]:
    """One attempt for each call: the faults are ours, and nobody waits."""
    from botocore.config import Config

    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": REGION}
    config = Config(retries={"total_max_attempts": 1})
    return {name: boto3.client(name, config=config, **keys) for name in ("s3", "sqs", "dynamodb")}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setenv("DEPLOYMENTS_TABLE", "jobs")
    settings.cache_clear()
    client.cache_clear()
    yield
    settings.cache_clear()
    client.cache_clear()


def live(clients: dict[str, Any], folder: Path, fault: Fault, monkeypatch: pytest.MonkeyPatch) -> World:
    """Three videos from the intake to the end under one fault."""
    world = World(clients, folder, Clock(), fault)
    with mock_aws(), no_time_but(world.clock, monkeypatch):
        location = {"LocationConstraint": REGION}
        clients["s3"].create_bucket(Bucket="data", CreateBucketConfiguration=location)
        keys = [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}]
        clients["dynamodb"].create_table(
            TableName="jobs", KeySchema=keys, BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": part, "AttributeType": "S"} for part in ("pk", "sk")],
        )  # fmt: skip
        world.make_queue()
        world.submit()
        world.live()
        world.wrong = world.verdict()
    return world


def _row(world: World, like: Row) -> Row:
    twice = sum(one.startswith("counted") for one in world.wrong)
    lost = len(world.wrong) - twice
    return Row(
        like.fault,
        like.where,
        bool(world.fault.hit),
        lost,
        twice,
        [world.poison_tries],
        [world.poison_receives],
    )


@pytest.mark.parametrize("kind", KINDS)
def test_no_fault_loses_or_doubles_a_video(
    kind: str, clients: dict[str, Any], environment: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a run without a fault, and the calls it made
    calm = live(clients, tmp_path, Fault(), monkeypatch)
    assert calm.wrong == []
    plans = list(range(calm.fault.calls))
    if "SAMPLE" in os.environ:
        plans = random.Random(os.environ.get("SEED", "0")).sample(plans, int(os.environ["SAMPLE"]))
    # When each is hit
    began, wrong, hits, row = time.monotonic(), [], 0, Row(_FAULTS[kind], "in process", 0, 0, 0)
    for at in plans:
        with monkeypatch.context() as patched:
            world = live(clients, tmp_path, Fault(kind, at), patched)
        hits += bool(world.fault.hit)
        row = row.plus(_row(world, row))
        wrong += [f"{kind} at call {at} ({world.fault.hit}): {one}" for one in world.wrong]
    keep(row)
    # Then
    print(f"{kind}: {hits} faults, {len(wrong)} wrong, {time.monotonic() - began:.0f} s")
    assert wrong == []
    assert hits == len(plans)
