"""The deployments table: plain dicts in and out, and the one fenced write.

A change to a deployment rides in a transaction with a condition on its ``STATE`` item, so that a writer of
an older generation changes nothing (fencing token; DynamoDB ``TransactWriteItems``).
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from shoal.aws import client, code_of, domain_errors
from shoal.errors import Retryable, StaleWriter
from shoal.settings import settings

Item = dict[str, Any]
Write = dict[str, dict[str, Any]]
"""One element of ``TransactItems`` without its table name and with plain values."""

EVENTS = "EVENT#"
"""How the sort keys of a deployment's history begin."""

DEPLOYMENT = "deployment"
"""The target of an event about the deployment itself, not about something it made."""

_BATCH = 100
_CONDITION_FAILED = "ConditionalCheckFailed"
_BUSY = frozenset({"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"})


class ConditionFailed(Exception):
    """A condition other than the fence did not hold; ``index`` says which of the writes."""

    def __init__(self, index: int) -> None:
        super().__init__(f"the condition of write {index} did not hold")
        self.index = index


def now() -> str:
    """The present as ISO 8601 in UTC with milliseconds; sorts as text."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def deployment_key(name: str) -> str:
    return f"DEPLOYMENT#{name}"


def state_key(name: str) -> Item:
    return {"pk": deployment_key(name), "sk": "STATE"}


def event(name: str, actor: str, status: str, reason: str, target: str = DEPLOYMENT) -> Write:
    """The write of one line of a deployment's history: who made ``target`` become ``status``, and why."""
    time = now()
    identifier = f"{time}#{uuid.uuid4().hex[:8]}"
    fields = {"id": identifier, "time": time, "actor": actor, "target": target, "status": status}
    item = {"pk": deployment_key(name), "sk": f"{EVENTS}{identifier}"}
    return {"Put": {"Item": item | fields | {"reason": reason}}}


def update(key: Item, fields: dict[str, Any], condition: str = "", expected: Item | None = None) -> Write:
    """An Update of one item; a field that is None is removed. ``condition`` may name ``#status``."""
    kept = [field for field, value in fields.items() if value is not None]
    gone = [field for field, value in fields.items() if value is None]
    expression = "SET " + ", ".join(f"#{field} = :{field}" for field in kept)
    if gone:
        expression += " REMOVE " + ", ".join(f"#{field}" for field in gone)
    names = {f"#{field}": field for field in fields} | (
        {"#status": "status"} if "#status" in condition else {}
    )
    body: dict[str, Any] = {
        "Key": key,
        "UpdateExpression": expression,
        "ExpressionAttributeNames": names,
        "ExpressionAttributeValues": {f":{field}": fields[field] for field in kept} | (expected or {}),
    }
    return {"Update": body | ({"ConditionExpression": condition} if condition else {})}


def read(key: Mapping[str, Any]) -> Item | None:
    """One item, strongly consistent; None where there is none."""
    with domain_errors("read the deployments table"):
        answer = client("dynamodb").get_item(TableName=_table(), Key=_encode(key), ConsistentRead=True)
        return _decode(answer["Item"]) if "Item" in answer else None


def read_many(keys: list[dict[str, str]]) -> list[Item]:
    """The items of these keys that there are, in no order; strongly consistent (BatchGetItem, 100 a call)."""
    found: list[Item] = []
    wanted = [_encode(key) for key in keys]
    while wanted:
        request = {_table(): {"Keys": wanted[:_BATCH], "ConsistentRead": True}}
        with domain_errors("read the deployments table"):
            answer = client("dynamodb").batch_get_item(RequestItems=request)
        found += [_decode(item) for item in answer["Responses"].get(_table(), [])]
        left = answer.get("UnprocessedKeys", {}).get(_table(), {}).get("Keys", [])
        wanted = left + wanted[_BATCH:]
    return found


def query(partition: str, prefix: str = "", newest_first: bool = False, limit: int = 1000) -> list[Item]:
    """Up to ``limit`` items of a partition whose sort key begins with ``prefix``; strongly consistent."""
    values = {":pk": partition} | ({":sk": prefix} if prefix else {})
    condition = "pk = :pk AND begins_with(sk, :sk)" if prefix else "pk = :pk"
    found: list[Item] = []
    pages = client("dynamodb").get_paginator("query")
    with domain_errors("query the deployments table"):
        for page in pages.paginate(
            TableName=_table(),
            KeyConditionExpression=condition,
            ExpressionAttributeValues=_encode(values),
            ConsistentRead=True,
            ScanIndexForward=not newest_first,
            PaginationConfig={"MaxItems": limit},
        ):
            found += [_decode(item) for item in page["Items"]]
    return found


def query_where(partition: str, prefix: str, equal: Mapping[str, Collection[str]], limit: int) -> list[Item]:
    """Up to ``limit`` items below ``prefix`` whose attributes are each among the values given.

    DynamoDB reads them all and sends only these: 100,000 jobs are some sixty pages, not a minute of decoding.
    """
    names = {f"#{name}": name for name in equal}
    chosen = {name: {f":{name}{n}": one for n, one in enumerate(sorted(equal[name]))} for name in equal}
    where = " AND ".join(f"#{name} IN ({', '.join(values)})" for name, values in chosen.items())
    given = {key: one for values in chosen.values() for key, one in values.items()}
    pages = client("dynamodb").get_paginator("query")
    found: list[Item] = []
    with domain_errors("query the deployments table"):
        for page in pages.paginate(
            TableName=_table(),
            KeyConditionExpression="pk = :pk AND begins_with(sk, :sk)",
            FilterExpression=where,
            ExpressionAttributeNames=names,
            ExpressionAttributeValues=_encode({":pk": partition, ":sk": prefix} | given),
            ConsistentRead=True,
        ):
            found += [_decode(item) for item in page["Items"][: limit - len(found)]]
            if len(found) >= limit:
                break
    return found


def query_after(partition: str, prefix: str, after: str, limit: int) -> list[Item]:
    """Up to ``limit`` items whose sort key begins with ``prefix`` and comes after ``prefix + after``."""
    values = {":pk": partition, ":first": f"{prefix}{after} ", ":last": f"{prefix}\uffff"}
    with domain_errors("query the deployments table"):
        answer = client("dynamodb").query(
            TableName=_table(),
            KeyConditionExpression="pk = :pk AND sk BETWEEN :first AND :last",
            ExpressionAttributeValues=_encode(values),
            ConsistentRead=True,
            Limit=limit,
        )
    return [_decode(item) for item in answer["Items"]]


def query_by_type(kind: str, limit: int, start: Item | None) -> tuple[list[Item], Item | None]:
    """A page of the ``by-type`` index (eventually consistent), and the key where the next one starts."""
    arguments: dict[str, Any] = {"ExclusiveStartKey": _encode(start)} if start else {}
    with domain_errors("list the deployments"):
        answer = client("dynamodb").query(
            TableName=_table(),
            IndexName="by-type",
            KeyConditionExpression="#type = :type",
            ExpressionAttributeNames={"#type": "type"},
            ExpressionAttributeValues=_encode({":type": kind}),
            Limit=limit,
            **arguments,
        )
    last = answer.get("LastEvaluatedKey")
    return [_decode(item) for item in answer["Items"]], _decode(last) if last else None


def write(*writes: Write) -> None:
    """All of the writes or none.

    Raises:
        ConditionFailed: a condition did not hold.
        Retryable: another transaction holds one of the items.
    """
    from botocore.exceptions import ClientError

    with domain_errors("write the deployments table"):
        try:
            client("dynamodb").transact_write_items(TransactItems=[_for_dynamodb(one) for one in writes])
        except ClientError as error:
            if code_of(error) != "TransactionCanceledException":
                raise
            _explain(error.response.get("CancellationReasons", []))


def write_fenced(name: str, generation: int, *writes: Write) -> None:
    """The writes, provided that ``generation`` still owns the deployment.

    Raises:
        StaleWriter: a newer generation owns it, or it is gone.
        ConditionFailed: another condition did not hold; its index counts ``writes`` from 0.
    """
    fence = {"ConditionCheck": {"Key": state_key(name), **_owned_by(generation)}}
    try:
        write(fence, *writes)
    except ConditionFailed as error:
        if error.index == 0:
            raise StaleWriter(
                f"generation {generation} of {name} is no longer the newest: its work is dropped"
            ) from error
        raise ConditionFailed(error.index - 1) from error


def _owned_by(generation: int) -> dict[str, Any]:
    return {
        "ConditionExpression": "generation = :fence",
        "ExpressionAttributeValues": {":fence": generation},
    }


def _explain(reasons: list[dict[str, Any]]) -> None:
    codes = [str(reason.get("Code", "")) for reason in reasons]
    if _CONDITION_FAILED in codes:
        raise ConditionFailed(codes.index(_CONDITION_FAILED))
    if _BUSY.intersection(codes):
        raise Retryable("another transaction holds the deployment: try again")
    raise Retryable(f"DynamoDB cancelled a transaction: {', '.join(codes)}")


def _table() -> str:
    return settings().need("deployments_table")


def _for_dynamodb(one: Write) -> dict[str, Any]:
    ((verb, body),) = one.items()
    encoded = {key: _encode(value) if key in _ENCODED else value for key, value in body.items()}
    return {verb: {"TableName": _table()} | encoded}


_ENCODED = frozenset({"Key", "Item", "ExpressionAttributeValues"})


def _encode(plain: Mapping[str, Any]) -> dict[str, Any]:
    from boto3.dynamodb.types import TypeSerializer

    serialize = TypeSerializer().serialize
    return {key: serialize(value) for key, value in plain.items() if value is not None}


def _decode(item: Mapping[str, Any]) -> Item:
    from boto3.dynamodb.types import TypeDeserializer

    deserialize = TypeDeserializer().deserialize
    return {key: _plain(deserialize(value)) for key, value in item.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return value
