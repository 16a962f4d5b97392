"""A manifest is taken on at once, and read on by a function until it is over.

No line is read twice: its place moves on in the transaction that records the jobs of its lines.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import time
from collections.abc import Callable
from pathlib import PurePosixPath

from shoal import deployments, table
from shoal.aws import client, domain_errors
from shoal.contracts.job import dive_key
from shoal.deployments import Deployment
from shoal.errors import Denied, InvalidRequest, Retryable, ShoalError, StaleWriter
from shoal.jobs import dives, manifest_source
from shoal.jobs.manifest_lines import form_of
from shoal.jobs.manifest_model import PREFIX, TYPE, Manifest, ManifestStatus, Plan, item_of, key_of
from shoal.jobs.manifest_reader import LEASE_SECONDS, Reader
from shoal.jobs.manifest_source import Unreadable
from shoal.jobs.objects import Head
from shoal.jobs.submission import Submission
from shoal.settings import settings
from shoal.telemetry import logger

__all__ = ["accept", "advance", "advance_all", "find", "read_on", "stop"]

_ID_LENGTH = 16
_AT_ONCE = 100
_READING = {":reading": str(ManifestStatus.READING)}


def accept(deployment: Deployment, submission: Submission, bucket: str) -> Manifest:
    """The manifest, to be read from its beginning; one that was taken on before is answered as it is.

    ``force`` reads one again that was read before, and tracks again what is tracked already.

    Raises:
        InvalidRequest: it lies elsewhere, is not there, is empty, or its first line is none.
        ContentTooLarge: it has more lines or bytes than one may have.
    """
    key, found, lines = manifest_source.look(str(submission.manifest), bucket)
    plan = _plan(submission, key, found, bucket)
    name = submission.job_name or PurePosixPath(key).stem[:200]
    time_ = table.now()
    manifest = Manifest(
        manifest_id=_identity(plan, name),
        uri=str(submission.manifest),
        job_name=name,
        lines=lines,
        created_at=time_,
        updated_at=time_,
    )
    known = find(deployment.name, manifest.manifest_id)
    if known and (known.status is ManifestStatus.READING or not submission.force):
        return known
    return _begin(deployment.name, manifest, plan)


def find(deployment: str, manifest_id: str) -> Manifest | None:
    """One manifest of a deployment."""
    item = table.read(key_of(deployment, manifest_id))
    return Manifest.model_validate(item) if item else None


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


def _plan(submission: Submission, key: str, found: Head, bucket: str) -> Plan:
    first = manifest_source.page(bucket, key, found.etag, 0, found.size)[0]
    try:
        form = form_of(first.decode("utf-8-sig"))
    except ValueError as error:
        detail = "it is not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)
        raise InvalidRequest(f"manifest: {detail}", [{"field": "manifest", "detail": detail}]) from error
    return Plan(
        key=key,
        etag=found.etag,
        size=found.size,
        args=submission.args,
        clean=submission.clean,
        force=submission.force,
        user_name=submission.user_name,
        metadata=submission.metadata,
        json_lines=form.json_lines,
        columns=form.columns,
    )


def _identity(plan: Plan, job_name: str) -> str:
    """The same list with the same options is one manifest; the metadata's own uuid is not of it."""
    text = json.dumps([plan.key, plan.etag, plan.args, plan.clean, plan.user_name, job_name])
    return hashlib.sha256(text.encode()).hexdigest()[:_ID_LENGTH]


def _begin(deployment: str, manifest: Manifest, plan: Plan) -> Manifest:
    """With its dive, which is not over before its manifest is."""
    put = {
        "Item": item_of(deployment, manifest, plan),
        "ConditionExpression": "attribute_not_exists(pk) OR #status <> :reading",
        "ExpressionAttributeNames": {"#status": "status"},
        "ExpressionAttributeValues": _READING,
    }
    dive = {
        "Key": dive_key(deployment, manifest.job_name),
        "UpdateExpression": "ADD reading :one SET manifest = :id, "
        "created_at = if_not_exists(created_at, :now)",
        "ExpressionAttributeValues": {":one": 1, ":id": manifest.manifest_id, ":now": manifest.created_at},
    }
    with contextlib.suppress(table.ConditionFailed):  # the same request at the same moment
        table.write({"Put": put}, {"Update": dive}, dives.opening(deployment, manifest.job_name))
    return find(deployment, manifest.manifest_id) or manifest


def _claimed(key: table.Item) -> bool:
    """One reader at a time, so that two do not look at the same videos; its place guards what is recorded."""
    now = int(time.time())
    free = "#status = :reading AND (attribute_not_exists(lease_until) OR lease_until < :clock)"
    values = _READING | {":clock": now}
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
    own = table.update(key_of(deployment, manifest.manifest_id), fields, "#status = :reading", dict(_READING))
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
