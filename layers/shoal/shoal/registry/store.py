"""Registered models and their versions in DynamoDB.

Each model has a counter item (version 0) with ``latest``. A registration moves the counter and puts its
versions in one transaction, conditional on the counter as it was read: no update is lost, and no number is
given twice.
"""

from __future__ import annotations

import random
import re
import time
from typing import Any

from pydantic import BaseModel

from shoal.aws import client, code_of, domain_errors
from shoal.contracts.registry import ModelVersion, Registration
from shoal.errors import InvalidRequest, NotFound, Retryable
from shoal.registry import items
from shoal.table import now

_COUNTER = 0
_ATTEMPTS = 12
_LONGEST_PAUSE_SECONDS = 0.2
_SET_IMAGE = "SET image = :image, image_digest = :digest, image_version = :tag, updated_at = :time"
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_LOST_RACE = frozenset({"ConditionalCheckFailed", "TransactionConflict"})


class RegisteredModel(BaseModel):
    """A model's name and the number of its newest version."""

    model: str
    latest: int


def register(registration: Registration) -> list[ModelVersion]:
    """Add the versions, numbered on from the newest, all of them or none.

    Raises:
        InvalidRequest: a metric that DynamoDB cannot hold.
        Retryable: too many others register the same model at this moment.
    """
    for attempt in range(_ATTEMPTS):
        latest = _latest(registration.model)
        versions = _numbered(registration, latest)
        if _write(registration.model, latest, versions):
            return versions
        time.sleep(random.uniform(0, _LONGEST_PAUSE_SECONDS * (attempt + 1) / _ATTEMPTS))  # noqa: S311 (jitter)
    raise Retryable(f"many requests register versions of {registration.model} at once: try again")


def get(model: str, version: int | None = None) -> ModelVersion:
    """One version of a model; the newest when ``version`` is None.

    Raises:
        NotFound: no such model or version.
    """
    number = _latest(model) if version is None else version
    item = items.read(model, number) if number else None
    if item is None:
        known = "" if version is None else f" version {version}"
        raise NotFound(f"the registry has no model {model}{known}: GET /registry lists them")
    return ModelVersion.model_validate(item)


def list_versions(
    model: str, limit: int, before: int | None = None
) -> tuple[int, list[ModelVersion], int | None]:
    """The newest number, a page of versions (newest first), and the ``before`` of the next page.

    Raises:
        NotFound: no such model.
    """
    latest = _latest(model)
    if not latest:
        raise NotFound(f"the registry has no model {model}: GET /registry lists them")
    last = latest if before is None else before - 1
    if last < 1:
        return latest, [], None
    with domain_errors("query the registry"):
        answer = client("dynamodb").query(
            TableName=items.table_name(),
            KeyConditionExpression="model = :model AND version BETWEEN :first AND :last",
            ExpressionAttributeValues=items.encode({":model": model, ":first": 1, ":last": last}),
            ScanIndexForward=False,
            ConsistentRead=True,
            Limit=limit,
        )
    found = [ModelVersion.model_validate(items.decode(item)) for item in answer["Items"]]
    more = bool(found) and found[-1].version > 1
    return latest, found, found[-1].version if more else None


def list_models(limit: int, after: str | None = None) -> tuple[list[RegisteredModel], str | None]:
    """A page of models in the table's own order, and the model to give as ``after`` for the next."""
    start = items.encode({"model": after, "version": _COUNTER}) if after else None
    found: list[RegisteredModel] = []
    while True:
        page = _scan(start)
        for item in page["Items"]:
            if len(found) == limit:
                return found, found[-1].model
            found.append(RegisteredModel.model_validate(items.decode(item)))
        start = page.get("LastEvaluatedKey")
        if not start:
            return found, None


def record_image(model: str, version: int, image: str, digest: str) -> ModelVersion:
    """Remember the container image that was built with this version; the image's tag is its version.

    Raises:
        NotFound: no such version.
        InvalidRequest: ``digest`` is not ``sha256:<64 hexadecimal digits>``.
    """
    if not _DIGEST.fullmatch(digest):
        raise InvalidRequest(f"the digest {digest!r} is not sha256:<64 hexadecimal digits>")
    from botocore.exceptions import ClientError

    tag = image.rsplit("/", 1)[-1].partition(":")[2] or None
    values = {":image": image, ":digest": digest, ":tag": tag or digest, ":time": now()}
    with domain_errors("record the image"):
        try:
            client("dynamodb").update_item(
                TableName=items.table_name(),
                Key=items.encode({"model": model, "version": version}),
                UpdateExpression=_SET_IMAGE,
                ConditionExpression="attribute_exists(s3_location)",
                ExpressionAttributeValues=items.encode(values),
            )
        except ClientError as error:
            if code_of(error) != "ConditionalCheckFailedException":
                raise
            raise NotFound(f"the registry has no model {model} version {version}") from error
    return get(model, version)


def _latest(model: str) -> int:
    """The newest version's number; 0 when there is none."""
    counter = items.read(model, _COUNTER)
    return int(counter["latest"]) if counter else 0


def _numbered(registration: Registration, latest: int) -> list[ModelVersion]:
    time = now()
    return [
        ModelVersion(
            model=registration.model,
            version=number,
            s3_location=new.s3_location,
            metrics=new.metrics,
            created_at=time,
        )
        for number, new in enumerate(registration.versions, latest + 1)
    ]


def _write(model: str, latest: int, versions: list[ModelVersion]) -> bool:
    """Move the counter and put the versions; False when another registration was faster."""
    from botocore.exceptions import ClientError

    writes = [_counter_write(model, latest, latest + len(versions)), *map(_version_write, versions)]
    with domain_errors("write the registry"):
        try:
            client("dynamodb").transact_write_items(TransactItems=writes)
        except ClientError as error:
            reasons = {str(reason.get("Code")) for reason in error.response.get("CancellationReasons", [])}
            if code_of(error) == "TransactionCanceledException" and reasons & _LOST_RACE:
                return False
            raise
    return True


def _counter_write(model: str, latest: int, later: int) -> dict[str, Any]:
    condition = "latest = :latest" if latest else "attribute_not_exists(model)"
    values = {":later": later, ":time": now()} | ({":latest": latest} if latest else {})
    return {
        "Update": {
            "TableName": items.table_name(),
            "Key": items.encode({"model": model, "version": _COUNTER}),
            "UpdateExpression": "SET latest = :later, updated_at = :time",
            "ConditionExpression": condition,
            "ExpressionAttributeValues": items.encode(values),
        }
    }


def _version_write(version: ModelVersion) -> dict[str, Any]:
    return {
        "Put": {
            "TableName": items.table_name(),
            "Item": items.encode(version.model_dump()),
            "ConditionExpression": "attribute_not_exists(model)",
        }
    }


def _scan(start: Any) -> dict[str, Any]:
    arguments = {"ExclusiveStartKey": start} if start else {}
    with domain_errors("list the models"):
        answer: dict[str, Any] = client("dynamodb").scan(
            TableName=items.table_name(),
            FilterExpression="version = :counter",
            ExpressionAttributeValues=items.encode({":counter": _COUNTER}),
            **arguments,
        )
    return answer
