"""A cancelled transaction takes back what it wrote and nothing else, at the same cost in any table."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from moto.dynamodb import models
from moto.dynamodb.models.dynamo_type import Item
from shoal_local import strict

TABLE = "t"


@pytest.fixture
def dynamodb(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A table with items a and b."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        client = boto3.client("dynamodb", region_name="us-west-2")
        client.create_table(
            TableName=TABLE, BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")],
            KeySchema=[
                {"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"},
            ],
        )  # fmt: skip
        for name in "ab":
            client.put_item(TableName=TABLE, Item=key(name) | {"n": {"N": "1"}})
        yield client


def key(name: str) -> dict[str, Any]:
    return {"pk": {"S": "p"}, "sk": {"S": name}}


def held(client: Any) -> dict[str, str]:
    return {item["sk"]["S"]: item["n"]["N"] for item in client.scan(TableName=TABLE)["Items"]}


def put(name: str) -> dict[str, Any]:
    return {"Put": {"TableName": TABLE, "Item": key(name) | {"n": {"N": "7"}}}}


def raise_by_one(name: str) -> dict[str, Any]:
    values = {":one": {"N": "1"}}
    update = {"UpdateExpression": "ADD n :one", "ExpressionAttributeValues": values}
    return {"Update": {"TableName": TABLE, "Key": key(name), **update}}


def delete(name: str) -> dict[str, Any]:
    return {"Delete": {"TableName": TABLE, "Key": key(name)}}


def refused(name: str) -> dict[str, Any]:
    condition = {"ConditionExpression": "attribute_not_exists(pk)"}
    return {"Put": {"TableName": TABLE, "Item": key(name) | {"n": {"N": "9"}}, **condition}}


@pytest.mark.parametrize(
    ("elements", "after"),
    [
        ([put("c"), refused("b")], {"a": "1", "b": "1"}),
        ([put("a"), refused("b")], {"a": "1", "b": "1"}),
        ([raise_by_one("a"), raise_by_one("c"), refused("b")], {"a": "1", "b": "1"}),
        ([delete("a"), refused("b")], {"a": "1", "b": "1"}),
        ([put("a"), delete("a")], {"a": "1", "b": "1"}),  # two for one item
    ],
)
def test_a_cancelled_transaction_takes_back_what_it_wrote(
    dynamodb: Any, elements: list[dict[str, Any]], after: dict[str, str]
) -> None:
    with strict.installed(), pytest.raises(ClientError):
        dynamodb.transact_write_items(TransactItems=elements)
    assert held(dynamodb) == after


def test_one_that_succeeds_is_done(dynamodb: Any) -> None:
    with strict.installed():
        dynamodb.transact_write_items(TransactItems=[put("c"), raise_by_one("a"), delete("b")])
    assert held(dynamodb) == {"a": "2", "c": "7"}


def meanwhile(monkeypatch: pytest.MonkeyPatch, do: Callable[[], Any]) -> None:
    """Once, in the middle of the next transaction, as another thread of the server would."""
    original, done = models.get_filter_expression, []

    def looked(*given: Any) -> Any:
        if not done:
            done.append(True)
            do()
        return original(*given)

    monkeypatch.setattr(models, "get_filter_expression", looked)


def test_what_others_write_meanwhile_stays(dynamodb: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given somebody who writes while a transaction is under way that will be cancelled
    other = {"TableName": TABLE, "Item": key("other") | {"n": {"N": "5"}}}
    meanwhile(monkeypatch, lambda: dynamodb.put_item(**other))
    # When
    with strict.installed(), pytest.raises(ClientError):
        dynamodb.transact_write_items(TransactItems=[put("c"), refused("b")])
    # Then
    assert held(dynamodb) == {"a": "1", "b": "1", "other": "5"}


def test_it_copies_no_more_than_it_touches(dynamodb: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given
    for number in range(60):
        dynamodb.put_item(TableName=TABLE, Item=key(str(number)) | {"n": {"N": "1"}})
    copies: list[Any] = []
    original = Item.__deepcopy__
    monkeypatch.setattr(Item, "__deepcopy__", lambda item, memo: copies.append(1) or original(item, memo))
    # When
    with strict.installed():
        dynamodb.transact_write_items(TransactItems=[raise_by_one("a"), put("c")])
    # Then
    assert len(copies) < 10
