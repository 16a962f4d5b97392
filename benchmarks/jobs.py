"""What a job costs the intake and the status page, from 10 jobs of a deployment to 100,000.

Usage: python benchmarks/jobs.py [--most 100000] [--manifest 10000]

On moto, in this process. Milliseconds are processor time outside moto: our code and boto3; moto's own grows
with its tables and says nothing of AWS. Calls and bytes (of the bodies sent) are AWS's bill. The ledger is
filled first (written into moto's table directly), then batches of ten videos are submitted through the real
code, and the dive, one job and one page are read; then manifests are read whole.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from shoal_local.strict.transactions import isolate_transactions

SIZES = (10, 1_000, 10_000, 100_000)
MANIFESTS = (10, 100, 1_000, 10_000, 100_000)
BATCH, ROUNDS = 10, 5
KEY = "manifests/reef/all.csv"
_STUB: dict[str, Any] = {}
DEPLOYMENT, BUCKET, TABLE = "reef", "data", "deployments"
SPEC = '{"name": "reef", "model_location": "s3://data/models/reef.onnx"}'


@dataclass
class Meter:
    """What was sent, and how long moto took of this process's time, in seconds."""

    calls: int = 0
    sent: int = 0
    moto: float = 0.0

    def own(self, work: Callable[[], object]) -> float:
        """Processor seconds of some work, without moto's."""
        self.calls, self.sent, self.moto = 0, 0, 0.0
        began = time.process_time()
        work()
        return time.process_time() - began - self.moto


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--most", type=int, default=SIZES[-1], help="the largest ledger")
    parser.add_argument("--manifest", type=int, default=10_000, help="the longest manifest")
    given = parser.parse_args()
    os.environ |= {
        "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-west-2",
        "DEPLOYMENTS_TABLE": TABLE, "DATA_BUCKET": BUCKET, "POWERTOOLS_LOG_LEVEL": "ERROR",
    }  # fmt: skip
    isolate_transactions()  # else moto copies its whole table before each
    print(f"{platform.platform()}, Python {platform.python_version()}, {os.cpu_count()} cores, moto\n")
    print(
        "| jobs there | submit, ms a job | calls a job | bytes a job | dive, ms | job, ms | page of 50, ms |"
    )
    print("|---|---|---|---|---|---|---|")
    for size in SIZES:
        if size <= given.most:
            print(_row(size), flush=True)
    print("\n| lines of a manifest | ms a line | calls a line | bytes a line |\n|---|---|---|---|")
    for lines in MANIFESTS:
        if lines <= given.manifest:
            print(_manifest_row(lines), flush=True)


def _row(size: int) -> str:
    from moto import mock_aws
    from shoal.aws import client

    with mock_aws():
        client.cache_clear()
        url = _furnish()
        _fill(size)
        meter = _metered()
        spent, calls, sent = [], 0, 0
        for number in range(ROUNDS):
            submit = _submission(url, size, number)
            spent.append(meter.own(submit))
            calls, sent = calls + meter.calls, sent + meter.sent
        dive, job, page = (_median(meter, one) for one in _reads())
    milliseconds, jobs = statistics.median(spent) * 1000 / BATCH, ROUNDS * BATCH
    return (
        f"| {size:,} | {milliseconds:.2f} | {calls / jobs:.2f} | {sent / jobs:,.0f} | {dive * 1000:.1f} "
        f"| {job * 1000:.1f} | {page * 1000:.1f} |"
    )


def _manifest_row(lines: int) -> str:
    from moto import mock_aws
    from shoal import jobs
    from shoal.aws import client

    with mock_aws():
        client.cache_clear()
        _furnish()
        videos = [f"videos/reef/{number:06d}.mp4" for number in range(lines)]
        _put_all([*videos, KEY], "\n".join(videos))
        deployment = _deployment()
        submission = jobs.Submission(manifest=f"s3://{BUCKET}/{KEY}")
        taken = jobs.manifests.accept(deployment, submission, BUCKET)
        meter = _metered()
        seconds = meter.own(
            lambda: jobs.manifests.advance(deployment, taken.manifest_id, BUCKET, lambda: True)
        )
        done = jobs.manifests.find(DEPLOYMENT, taken.manifest_id)
    if done is None or done.new != lines:
        raise AssertionError(f"not all of it was read: {done}")
    each = seconds * 1000 / lines
    return f"| {lines:,} | {each:.2f} | {meter.calls / lines:.2f} | {meter.sent / lines:,.0f} |"


def _put_all(keys: list[str], manifest: str) -> None:
    """Objects, straight into moto's bucket."""
    from moto.s3.models import s3_backends

    backend = s3_backends["123456789012"]["aws"]
    for key in keys:
        backend.put_object(BUCKET, key, (manifest if key == KEY else key).encode())


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


def _metered() -> Meter:
    """Meters every client from now on."""
    from moto.core import botocore_stubber
    from shoal.aws import client

    meter = Meter()
    original = _STUB.setdefault("call", botocore_stubber.BotocoreStubber.__call__)

    def timed(stub: Any, event_name: str, request: Any, **more: Any) -> Any:
        meter.calls += 1
        meter.sent += len(request.body) if isinstance(request.body, (bytes, str)) else 0
        began = time.thread_time()
        try:
            return original(stub, event_name, request, **more)
        finally:
            meter.moto += time.thread_time() - began

    botocore_stubber.BotocoreStubber.__call__ = timed  # type: ignore[method-assign]
    for service in ("dynamodb", "s3", "sqs"):
        client(service)  # making one is no part of a job
    return meter


def _deployment() -> Any:
    from shoal.contracts.deployment import DeploymentSpec

    return SimpleNamespace(name=DEPLOYMENT, spec=DeploymentSpec.model_validate_json(SPEC))


def _submission(url: str, size: int, number: int) -> Callable[[], object]:
    """Ten videos that are there, to be submitted."""
    from shoal import jobs
    from shoal.aws import client

    videos = [f"videos/reef/new/{size}/{number}/{video}.mp4" for video in range(BATCH)]
    for video in videos:
        client("s3").put_object(Bucket=BUCKET, Key=video, Body=video.encode())

    def submit() -> None:
        jobs.take(_deployment(), jobs.Submission(videos=videos, job_name="new"), BUCKET)
        jobs.top_up(DEPLOYMENT, url)

    return submit


def _reads() -> list[Callable[[], object]]:
    from shoal import jobs

    last = jobs.list_jobs(DEPLOYMENT, 1)[0][0].job_id
    return [
        lambda: jobs.dives.list_dives(DEPLOYMENT, "g5.xlarge", 10),
        lambda: jobs.get(DEPLOYMENT, last),
        lambda: jobs.list_jobs(DEPLOYMENT, 50),
    ]


def _median(meter: Meter, read: Callable[[], object]) -> float:
    return statistics.median(meter.own(read) for _ in range(9))


if __name__ == "__main__":
    main()
