"""The registry table: plain dicts in and out, floats as ``Decimal``, decimals as ``float``."""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from shoal.aws import client, domain_errors
from shoal.errors import InvalidRequest
from shoal.settings import settings

Item = dict[str, Any]

_SMALLEST, _LARGEST = 1e-120, 1e120
"""Well inside the range of a DynamoDB number (1E-130 to 9.99E+125)."""


def table_name() -> str:
    return settings().need("registry_table")


def encode(plain: Mapping[str, Any]) -> Item:
    """An item for DynamoDB; ``None`` is left out.

    Raises:
        InvalidRequest: a number that DynamoDB cannot hold.
    """
    from boto3.dynamodb.types import TypeSerializer

    serialize = TypeSerializer().serialize
    return {key: serialize(_exact(value, key)) for key, value in plain.items() if value is not None}


def decode(item: Mapping[str, Any]) -> Item:
    """An item of DynamoDB as plain values."""
    from boto3.dynamodb.types import TypeDeserializer

    deserialize = TypeDeserializer().deserialize
    return {key: deserialize(value) for key, value in item.items()}


def read(model: str, version: int) -> Item | None:
    """One item, strongly consistent."""
    with domain_errors("read the registry"):
        answer = client("dynamodb").get_item(
            TableName=table_name(), Key=encode({"model": model, "version": version}), ConsistentRead=True
        )
    return decode(answer["Item"]) if "Item" in answer else None


def _exact(value: Any, field: str) -> Any:
    if isinstance(value, Mapping):
        return {key: _exact(item, f"{field}.{key}") for key, item in value.items()}
    if not isinstance(value, float):
        return value
    if math.isfinite(value) and (value == 0 or _SMALLEST <= abs(value) <= _LARGEST):
        return Decimal(repr(value))
    detail = f"{value!r} cannot be stored: give a number between {_SMALLEST} and {_LARGEST}"
    raise InvalidRequest(f"{field}: {detail}", [{"field": field, "detail": detail}])
