"""DynamoDB transactions: one that is cancelled takes back what it wrote, and nothing that others wrote.

moto copies each table before a transaction and puts the copy back when it is cancelled: what somebody else
wrote meanwhile is lost, and a transaction costs the more the more items a table holds.
"""

from __future__ import annotations

import copy
import threading
from types import SimpleNamespace
from typing import Any

from shoal_local.patches import contract

_TRANSACT = contract("moto.dynamodb.models", "DynamoDBBackend.transact_write_items", "self transact_items")
_COPY = contract("moto.dynamodb.models", "copy")
contract("moto.dynamodb.models", "Table")
contract("moto.dynamodb.models.dynamo_type", "DynamoType.__init__", "self type_as_dict")
_ONE_AT_A_TIME = threading.Lock()
"""DynamoDB guide, "Transactional reads and writes": serializable among each other."""


def isolate_transactions() -> None:
    """DynamoDB API TransactWriteItems: "either all of them succeed, or none of them succeeds"."""
    original = _TRANSACT.original

    def transact(self: Any, transact_items: list[dict[str, Any]]) -> None:
        with _ONE_AT_A_TIME:
            before = [_Place.of(self, one) for one in transact_items]
            try:
                original(self, transact_items)
            except Exception:
                for place in reversed(before):
                    place.restore()
                raise

    _TRANSACT.replace(transact)
    _COPY.replace(SimpleNamespace(deepcopy=_deepcopy))


def share_transactions() -> None:
    """Stock moto again."""
    _TRANSACT.restore()
    _COPY.restore()


class _Place:
    """Where one element of a transaction writes, and what is there."""

    def __init__(self, items: Any = None, keys: tuple[Any, ...] = ()) -> None:
        self._items, self._keys = items, keys
        self._was = copy.deepcopy(self._there()) if keys else None

    @classmethod
    def of(cls, backend: Any, element: dict[str, Any]) -> _Place:
        """No place where the element names none: moto refuses it before it writes."""
        from moto.dynamodb.models.dynamo_type import DynamoType

        operation = next(iter(element.values()))
        table = backend.tables.get(operation.get("TableName"))
        attributes = operation.get("Key") or operation.get("Item") or {}
        names = [table.hash_key_attr, table.range_key_attr] if table is not None else []
        keys = tuple(DynamoType(attributes[name]) for name in names if name in attributes)
        return cls(table.items, keys) if keys and len(keys) == len([one for one in names if one]) else cls()

    def _there(self) -> Any:
        found = self._items.get(self._keys[0])
        return found.get(self._keys[1]) if found is not None and len(self._keys) > 1 else found

    def restore(self) -> None:
        if not self._keys:
            return
        holder = self._items[self._keys[0]] if len(self._keys) > 1 else self._items
        if self._was is None:
            holder.pop(self._keys[-1], None)
        else:
            holder[self._keys[-1]] = self._was


def _deepcopy(value: Any) -> Any:
    """A table stays as it is: its touched items are kept elsewhere."""
    from moto.dynamodb.models import Table

    return value if isinstance(value, Table) else copy.deepcopy(value)
