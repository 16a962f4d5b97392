"""moto made quicker answers as moto does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws
from shoal_local import quick

KEY = {"pk": "HASH", "sk": "RANGE"}
NESTED = {
    "pk": {"S": "a"}, "sk": {"S": "1"}, "count": {"N": "1.50"}, "yes": {"BOOL": False},
    "none": {"NULL": True}, "bytes": {"B": b"\x00\xff"}, "names": {"SS": ["x", "y"]},
    "empty": {"M": {}}, "list": {"L": []},
    "map": {"M": {"deep": {"L": [{"S": ""}, {"M": {"raw": {"B": b"z"}}}]}}},
}  # fmt: skip


@pytest.fixture
def dynamodb(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A client with an empty table ``t``."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")

    with mock_aws():
        client = boto3.client("dynamodb", region_name="us-west-2")
        client.create_table(
            TableName="t",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in KEY],
            KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in KEY.items()],
        )
        yield client


@pytest.fixture(params=[False, True], ids=["stock", "quick"])
def _moto(request: pytest.FixtureRequest) -> Iterator[None]:
    """Every expectation below holds for moto as it ships too."""
    (quick.install if request.param else quick.uninstall)()
    yield
    quick.uninstall()


@pytest.mark.usefixtures("_moto")
def test_values_are_compared_by_type_and_as_what_they_are() -> None:
    from moto.dynamodb.models.dynamo_type import DynamoType

    def value(kind: str, content: Any) -> Any:
        return DynamoType({kind: content})

    assert value("S", "10") < value("S", "9")
    assert value("N", "9") < value("N", "10")
    assert value("N", "1.0") == value("N", "1")
    assert value("S", "1.0") != value("S", "1")
    assert value("S", "1") != value("N", "1")
    assert {value("S", "a"): 1, value("N", "1"): 2} == {value("N", "1.0"): 2, value("S", "a"): 1}
    assert value("M", {"x": {"S": "a"}}) == value("M", {"x": {"S": "a"}})


@pytest.mark.usefixtures("_moto")
def test_an_item_comes_back_as_it_was(dynamodb: Any) -> None:
    dynamodb.put_item(TableName="t", Item=NESTED)
    (found,) = dynamodb.scan(TableName="t")["Items"]
    assert found == NESTED
