"""What a job costs the intake and the status page, from 10 jobs of a deployment to 100,000.

Usage: python benchmarks/jobs.py [--most 100000]

On moto, in this process: milliseconds are moto's, and say only whether they grow; the calls are AWS's bill.
The ledger is filled first (written into moto's table directly), then batches of ten videos are submitted
through the real code, and the dive, one job and one page are read.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

SIZES = (10, 1_000, 10_000, 100_000)
BATCH, ROUNDS = 10, 5
DEPLOYMENT, BUCKET, TABLE = "reef", "data", "deployments"
SPEC = '{"name": "reef", "model_location": "s3://data/models/reef.onnx"}'


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--most", type=int, default=SIZES[-1], help="the largest ledger")
    most = parser.parse_args().most
    os.environ |= {
        "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-west-2",
        "DEPLOYMENTS_TABLE": TABLE, "DATA_BUCKET": BUCKET, "POWERTOOLS_LOG_LEVEL": "ERROR",
    }  # fmt: skip
    print(f"{platform.platform()}, Python {platform.python_version()}, {os.cpu_count()} cores, moto\n")
    print("| jobs there | submit, ms a job | calls a job | dive, ms | job, ms | page of 50, ms |")
    print("|---|---|---|---|---|---|")
    for size in SIZES:
        if size <= most:
            print(_row(size), flush=True)


def _row(size: int) -> str:
    from moto import mock_aws
    from shoal.aws import client

    with mock_aws():
        client.cache_clear()
        url = _furnish()
        _fill(size)
        calls = _counted()
        spent = [_submit(url, size, number) for number in range(ROUNDS)]
        total = sum(calls.values()) - ROUNDS * BATCH  # the uploads themselves
        dive, job, page = (_median(one) for one in _reads())
    milliseconds = statistics.median(spent) * 1000 / BATCH
    return (
        f"| {size:,} | {milliseconds:.2f} | {total / ROUNDS / BATCH:.2f} | {dive * 1000:.1f} "
        f"| {job * 1000:.1f} | {page * 1000:.1f} |"
    )


def _furnish() -> str:
    from shoal.aws import client

    s3, location = client("s3"), {"LocationConstraint": "us-west-2"}
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration=location)
    s3.put_object(Bucket=BUCKET, Key="models/reef.onnx", Body=b"model")
    keys = [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}]
    client("dynamodb").create_table(
        TableName=TABLE, KeySchema=keys, BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": part, "AttributeType": "S"} for part in ("pk", "sk")],
    )  # fmt: skip
    return str(client("sqs").create_queue(QueueName="jobs")["QueueUrl"])


def _fill(size: int) -> None:
    """Jobs that were, straight into moto's table: its API would take an hour for them."""
    from moto.dynamodb.models import dynamodb_backends
    from shoal import table
    from shoal.contracts.job import JobRecord, job_key, tally_key
    from shoal.contracts.status import JobStatus

    held = dynamodb_backends["123456789012"]["us-west-2"].tables[TABLE]
    for number in range(size):
        job_id = f"20260101t000000-{number:06d}"
        record = JobRecord(
            job_id=job_id, deployment=DEPLOYMENT, video=f"videos/reef/old/{number}.mp4", dive="old",
            status=JobStatus.SUCCEEDED, work=f"{number:032x}",
        )  # fmt: skip
        item = job_key(DEPLOYMENT, job_id) | record.model_dump(mode="json")
        held.put_item(table._encode(item))
        pointer = {"pk": table.deployment_key(DEPLOYMENT), "sk": f"WORK#{number:032x}", "job_id": job_id}
        held.put_item(table._encode(pointer))
    sums = {"submitted": size, "succeeded": size, "footage_seconds": 3600 * size, "work_seconds": 3600 * size}
    held.put_item(table._encode(tally_key(DEPLOYMENT) | sums))


def _counted() -> Counter[str]:
    """Counts the calls of every client from now on."""
    from shoal.aws import client

    calls: Counter[str] = Counter()
    for service in ("dynamodb", "s3", "sqs"):
        client(service).meta.events.register(
            "before-send", lambda request, **_: calls.update([request.headers.get("X-Amz-Target", b"s3")])
        )
    return calls


def _submit(url: str, size: int, number: int) -> float:
    from types import SimpleNamespace

    from shoal import jobs
    from shoal.aws import client
    from shoal.contracts.deployment import DeploymentSpec

    videos = [f"videos/reef/new/{size}/{number}/{video}.mp4" for video in range(BATCH)]
    for video in videos:
        client("s3").put_object(Bucket=BUCKET, Key=video, Body=video.encode())
    deployment: Any = SimpleNamespace(name=DEPLOYMENT, spec=DeploymentSpec.model_validate_json(SPEC))
    began = time.perf_counter()
    jobs.take(deployment, jobs.Submission(videos=videos, job_name="new"), BUCKET)
    jobs.top_up(DEPLOYMENT, url)
    return time.perf_counter() - began


def _reads() -> list[Callable[[], object]]:
    from shoal import jobs

    last = jobs.list_jobs(DEPLOYMENT, 1)[0][0].job_id
    return [
        lambda: jobs.dives.list_dives(DEPLOYMENT, "g5.xlarge", 10),
        lambda: jobs.get(DEPLOYMENT, last),
        lambda: jobs.list_jobs(DEPLOYMENT, 50),
    ]


def _median(read: Callable[[], object]) -> float:
    spent = []
    for _ in range(9):
        began = time.perf_counter()
        read()
        spent.append(time.perf_counter() - began)
    return statistics.median(spent)


if __name__ == "__main__":
    main()
