"""A manifest is taken on at once, and read on by a function until it is over.

No line is read twice: its place moves on in the transaction that records the jobs of its lines.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable

from shoal import deployments, table
from shoal.aws import client, domain_errors
from shoal.contracts.job import dive_key
from shoal.deployments import Deployment
from shoal.errors import Denied, Retryable, ShoalError, StaleWriter
from shoal.jobs.manifest_intake import accept, find
from shoal.jobs.manifest_model import PREFIX, READING, TYPE, Manifest, ManifestStatus, key_of
from shoal.jobs.manifest_reader import LEASE_SECONDS, Reader
from shoal.jobs.manifest_source import Unreadable
from shoal.settings import settings
from shoal.telemetry import logger

__all__ = ["accept", "advance", "advance_all", "find", "read_on", "stop"]

_AT_ONCE = 100


def advance(
    deployment: Deployment, manifest_id: str, bucket: str, going_on: Callable[[], bool]
) -> Manifest | None:
    """Read on while ``going_on`` says so, some lines at least; None where somebody else does, or it is over.

    Raises:
        Denied, Retryable: AWS did not answer; the next one goes on.
    """
    key = key_of(deployment.name, manifest_id)
    if not _claimed(key):
        return None
    reader = Reader.of(table.read(key) or {}, deployment, bucket)
    try:
        _read(reader, going_on)
    except Unreadable as broken:
        _end(deployment.name, reader.manifest, ManifestStatus.FAILED, broken.reason)
    except StaleWriter:
        return None
    else:
        _leave(deployment.name, reader)
    return find(deployment.name, manifest_id)


def read_on(manifest: Manifest) -> None:
    """Have the function read on at once where something is left; it looks for itself each minute too."""
    function = settings().manifest_function
    if manifest.status is not ManifestStatus.READING or not function:
        return
    try:
        with domain_errors(f"invoke {function}"):
            client("lambda").invoke(FunctionName=function, InvocationType="Event", Payload=b"{}")
    except Denied:
        raise
    except ShoalError:
        logger().exception("manifest is read on within a minute", extra={"manifest": manifest.manifest_id})


def advance_all(bucket: str, going_on: Callable[[], bool]) -> int:
    """Read on every manifest that is not over; answers how many were read."""
    items, _ = table.query_by_type(TYPE, _AT_ONCE, None)
    read = 0
    for item in items:
        deployment = deployments.get(str(item["pk"]).removeprefix("DEPLOYMENT#"))
        manifest = Manifest.model_validate(item)
        try:
            if deployment.status.is_kept():
                read += advance(deployment, manifest.manifest_id, bucket, going_on) is not None
            else:
                reason = f"{deployment.name} is {deployment.status}"
                _end(deployment.name, manifest, ManifestStatus.FAILED, reason)
        except ShoalError:
            about = {"deployment": deployment.name, "manifest": manifest.manifest_id}
            logger().exception("manifest not read on", extra=about)
    return read


def stop(deployment: str, job_name: str = "") -> None:
    """Read no further: those of a dive, or all of the deployment (empty)."""
    reading = {"status": {str(ManifestStatus.READING)}}
    for item in table.query_where(table.deployment_key(deployment), PREFIX, reading, _AT_ONCE):
        manifest = Manifest.model_validate(item)
        if job_name in ("", manifest.job_name):
            _end(deployment, manifest, ManifestStatus.CANCELLED, "cancelled on request")


def _claimed(key: table.Item) -> bool:
    """One reader at a time, so that two do not look at the same videos; its place guards what is recorded."""
    now = int(time.time())
    free = "#status = :reading AND (attribute_not_exists(lease_until) OR lease_until < :clock)"
    values = READING | {":clock": now}
    try:
        table.write(table.update(key, {"lease_until": now + LEASE_SECONDS}, free, values))
    except table.ConditionFailed:
        return False
    return True


def _read(reader: Reader, going_on: Callable[[], bool]) -> None:
    while not reader.is_over:
        reader.read_some()
        if not going_on():
            return


def _leave(deployment: str, reader: Reader) -> None:
    if reader.is_over:
        _end(deployment, reader.manifest, ManifestStatus.DONE, "")
        return
    key = key_of(deployment, reader.manifest.manifest_id)
    place = {":place": reader.place}
    with contextlib.suppress(table.ConditionFailed):
        table.write(table.update(key, {"lease_until": 0}, "byte_place = :place", place))


def _end(deployment: str, manifest: Manifest, status: ManifestStatus, reason: str) -> None:
    """Out of the index, and its dive may be over; once."""
    fields = {"status": str(status), "reason": reason, "type": None, "lease_until": None}
    fields |= {"updated_at": table.now()}
    own = table.update(key_of(deployment, manifest.manifest_id), fields, "#status = :reading", dict(READING))
    dive = {
        "Key": dive_key(deployment, manifest.job_name),
        "UpdateExpression": "ADD reading :less",
        "ExpressionAttributeValues": {":less": -1},
    }
    for _ in range(5):
        try:
            table.write(own, {"Update": dive})
        except table.ConditionFailed:
            return
        except Retryable:
            continue  # a worker ends a job of the dive
        return
