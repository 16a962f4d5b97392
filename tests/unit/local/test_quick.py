"""moto made quicker answers as moto does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws
from shoal_local import quick

TEXT = {"AttributeType": "S"}
NESTED = {
    "pk": {"S": "a"}, "sk": {"S": "1"}, "count": {"N": "1.50"}, "yes": {"BOOL": False},
    "none": {"NULL": True}, "bytes": {"B": b"\x00\xff"}, "names": {"SS": ["x", "y"]},
    "empty": {"M": {}}, "list": {"L": []},
    "map": {"M": {"deep": {"L": [{"S": ""}, {"M": {"raw": {"B": b"z"}}}]}}},
}  # fmt: skip


@pytest.fixture
def tables(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[bool], Any]]:
    """A client with an empty table, of moto as it ships or made quick."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")

    def made(sort: bool) -> Any:
        client = boto3.client("dynamodb", region_name="us-west-2")
        names = ("pk", "sk")[: 1 + sort]
        client.create_table(
            TableName="t",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": name, **TEXT} for name in names],
            KeySchema=[
                {"AttributeName": name, "KeyType": kind}
                for name, kind in zip(names, ("HASH", "RANGE"), strict=False)
            ],
        )
        return client

    with mock_aws():
        yield made


@pytest.fixture(params=[False, True], ids=["stock", "quick"])
def _moto(request: pytest.FixtureRequest) -> Iterator[None]:
    """Every expectation below holds for moto as it ships too."""
    (quick.install if request.param else quick.uninstall)()
    yield
    quick.uninstall()


@pytest.mark.usefixtures("_moto")
def test_an_item_comes_back_as_it_was(tables: Callable[[bool], Any]) -> None:
    client = tables(True)
    client.put_item(TableName="t", Item=NESTED)
    (found,) = client.scan(TableName="t")["Items"]
    assert found == NESTED
