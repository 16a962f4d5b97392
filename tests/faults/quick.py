"""moto and its interpreter made quicker, with the same answers: what they work out for each call is kept."""

from __future__ import annotations

import copy
import functools
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest


@contextmanager
def quick() -> Iterator[None]:
    """About twice as fast, for the length of a ``with``."""
    import moto.core.responses
    import moto.dynamodb.models as dynamodb
    from moto.core.serialize import AttributePicker
    from moto.stepfunctions.parser.asl.component.common.path import result_path
    from moto.stepfunctions.parser.asl.utils import json_path

    with pytest.MonkeyPatch.context() as patched:
        for module in (json_path, result_path):
            patched.setattr(module, "parse", functools.cache(module.parse))
        names = moto.core.responses.method_names_from_class
        patched.setattr(moto.core.responses, "method_names_from_class", functools.cache(names))
        patched.setattr(AttributePicker, "__call__", _picking(AttributePicker))
        original = dynamodb.DynamoDBBackend.transact_write_items
        patched.setattr(dynamodb.DynamoDBBackend, "transact_write_items", _transacting(original, dynamodb))
        yield


def _picking(picker: Any) -> Any:
    """The names under which a member may be found depend on its shape and the object's class only."""
    original, known = picker.__call__, {}

    def pick(self: Any, context: Any) -> Any:
        from moto.core.utils import get_value

        if self.response_transformers:
            return original(self, context)
        place = (id(self), id(context.shape), context.key, type(context.obj))
        if place not in known:
            known[place] = (list(self.get_possible_keys(context)), context.shape)
        for key in known[place][0]:
            value = get_value(context.obj, key, _MISSING)
            if value is not _MISSING:
                return value
        return None

    return pick


_MISSING = object()


def _transacting(original: Any, module: Any) -> Any:
    """moto copies the whole table for each write, to undo them; only an Update changes an item in place."""

    def transact(backend: Any, transact_items: list[dict[str, Any]]) -> None:
        if any("Update" in item for item in transact_items):
            original(backend, transact_items)
            return
        real, module.copy = module.copy, SimpleNamespace(deepcopy=_shelves, copy=copy.copy)
        try:
            original(backend, transact_items)
        finally:
            module.copy = real

    return transact


def _shelves(value: Any) -> Any:
    if type(value).__name__ != "Table":
        return copy.deepcopy(value)
    twin = copy.copy(value)
    twin.items = copy.copy(value.items)
    for key, inner in value.items.items():
        twin.items[key] = dict(inner) if isinstance(inner, dict) else inner
    return twin
