"""moto and its interpreter made quicker, with the same answers: what they work out for each call is kept.

moto parses each JSONPath at each step, lists a class's methods for each call and a service's errors for each
error, looks for each member of an answer under seven names, and asks five times what a text is before it
compares it with another.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from shoal_local.patches import FORGET, contract

_PARSER = "moto.stepfunctions.parser.asl"
_INPUT_PATH = contract(f"{_PARSER}.utils.json_path", "parse", "path debug")
_RESULT_PATH = contract(f"{_PARSER}.component.common.path.result_path", "parse", "string")
_ERRORS = contract("moto.core.errors", "ErrorLookupFactory.for_service", "self service_model")
_NAMES = contract("moto.core.responses", "method_names_from_class", "clazz")
_PICK = contract("moto.core.serialize", "AttributePicker.__call__", "self context")
_STRUCTURE = contract(
    "moto.core.serialize", "BaseJSONSerializer._serialize_type_structure", "self serialized value shape key"
)
_VALUE = "moto.dynamodb.models.dynamo_type"
_EQUAL = contract(_VALUE, "DynamoType.__eq__", "self other")
_UNEQUAL = contract(_VALUE, "DynamoType.__ne__", "self other")
_LESS = contract(_VALUE, "DynamoType.__lt__", "self other")
_HASH = contract(_VALUE, "DynamoType.__hash__", "self")
_ALL = (_INPUT_PATH, _RESULT_PATH, _ERRORS, _NAMES, _PICK, _STRUCTURE, _EQUAL, _UNEQUAL, _LESS, _HASH)


def install() -> None:
    """Put them in place."""
    for each in (_INPUT_PATH, _RESULT_PATH):
        each.replace(functools.cache(each.original))
    _ERRORS.replace(_lookups())
    names = functools.cache(_NAMES.original)
    FORGET[:] = [names.cache_clear]
    _NAMES.replace(names)
    _PICK.replace(_picking())
    _STRUCTURE.replace(_structure)
    _EQUAL.replace(lambda self, other: self.type == other.type and _value(self) == _value(other))
    _UNEQUAL.replace(lambda self, other: self.type != other.type or _value(self) != _value(other))
    _LESS.replace(lambda self, other: _value(self) < _value(other))
    _HASH.replace(lambda self: hash((self.type, _value(self))))


def uninstall() -> None:
    """moto as it ships."""
    for each in _ALL:
        each.restore()


@contextmanager
def installed() -> Iterator[None]:
    """Replaced within the block."""
    install()
    try:
        yield
    finally:
        uninstall()


_MISSING = object()


def _lookups() -> Any:
    """The errors of a service by their codes: moto makes them anew for each error that it answers."""
    known = functools.cache(lambda model: _ERRORS.original(_factory(), model))
    return lambda _, service_model: known(service_model)


def _factory() -> Any:
    from moto.core.errors import ErrorLookupFactory

    return ErrorLookupFactory()


def _picking() -> Any:
    """The names under which a member may be found depend on its shape and the object's class only."""
    from moto.core.utils import get_value

    original, known = _PICK.original, dict[tuple[Any, ...], tuple[list[str], Any]]()

    def pick(self: Any, context: Any) -> Any:
        if self.response_transformers:
            return original(self, context)
        place = (type(self), *self.alias_providers, id(context.shape), context.key, type(context.obj))
        if place not in known:
            known[place] = (list(self.get_possible_keys(context)), context.shape)  # the shape keeps its id
        for key in known[place][0]:
            value = get_value(context.obj, key, _MISSING)
            if value is not _MISSING:
                return value
        return None

    return pick


def _value(one: Any) -> Any:
    """The value of a DynamoType; a text, as nearly every key is, stands for itself."""
    return one.value if one.type == "S" else one.cast_value


_PLAIN = frozenset({"S", "N", "BOOL", "NULL"})


def _structure(self: Any, serialized: Any, value: Any, shape: Any, key: str) -> None:
    """An attribute of a table that holds no bytes is written as it is; everything else as moto does."""
    if key and shape.name == "AttributeValue" and _is_plain(value):
        serialized[self.get_serialized_name(shape, key)] = value
    else:
        _STRUCTURE.original(self, serialized, value, shape, key)


def _is_plain(value: Any) -> bool:
    """Whether JSON can hold this attribute as it stands: ``{"S": "text"}`` and maps and lists of such."""
    if type(value) is not dict or len(value) != 1:
        return False
    ((kind, content),) = value.items()
    if kind == "M":
        return type(content) is dict and all(map(_is_plain, content.values()))
    if kind == "L":
        return type(content) is list and all(map(_is_plain, content))
    return kind in _PLAIN and type(content) in (str, bool)
