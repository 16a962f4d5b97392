"""A manifest is taken on at once: looked at, counted, recorded with its dive; nothing of it is done yet."""

from __future__ import annotations

import contextlib
import hashlib
import json
from pathlib import PurePosixPath

from shoal import table
from shoal.contracts.job import dive_key
from shoal.deployments import Deployment
from shoal.errors import InvalidRequest
from shoal.jobs import dives, identity, manifest_source
from shoal.jobs.manifest_lines import form_of
from shoal.jobs.manifest_model import READING, Manifest, ManifestStatus, Plan, item_of, key_of
from shoal.jobs.objects import Head
from shoal.jobs.submission import Submission

_ID_LENGTH = 16


def accept(deployment: Deployment, submission: Submission, bucket: str) -> Manifest:
    """The manifest, to be read from its beginning; one that was taken on before is answered as it is.

    ``force`` reads one again that was read before, and tracks again what is tracked already.

    Raises:
        InvalidRequest: it lies elsewhere, is not there, is empty, or its first line is none.
        ContentTooLarge: it has more lines or bytes than one may have.
    """
    key, found, lines = manifest_source.look(str(submission.manifest), bucket)
    plan = _plan(deployment, submission, key, found, bucket)
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


def _plan(deployment: Deployment, submission: Submission, key: str, found: Head, bucket: str) -> Plan:
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
        basis=list(identity.basis_of(deployment.spec)),
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
        "ExpressionAttributeValues": READING,
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
