"""Pydantic's verdict as one of our errors: each field by name, with what to do."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable
from typing import Any, TypeVar

from pydantic import AliasChoices, BaseModel, ValidationError
from pydantic_core import ErrorDetails

from shoal.errors import InvalidRequest

Model = TypeVar("Model", bound=BaseModel)


def validated(model: type[Model], tree: Any, what: str = "the request") -> Model:
    """``tree`` as a ``model``, strictly: ``"1"`` and ``true`` are no integers.

    Raises:
        InvalidRequest: listing every field at fault.
    """
    try:
        # through JSON: only there does the strict mode take a list for a tuple
        return model.model_validate_json(json.dumps(tree), strict=True)
    except ValidationError as error:
        raise invalid(error, what, accepted_fields(model)) from error


def invalid(error: ValidationError, what: str, known: Iterable[str] = ()) -> InvalidRequest:
    """The error to raise for a pydantic verdict."""
    known = sorted(known)
    details = error.errors(include_url=False, include_context=False, include_input=False)
    fields = [{"field": _path(one), "detail": _advice(one, known)} for one in details]
    named = ", ".join(dict.fromkeys(one["field"] for one in fields if one["field"]))
    return InvalidRequest(f"{what} is not valid: look at {named or 'the body'}", fields)


def accepted_fields(model: type[BaseModel]) -> set[str]:
    """Every name under which a field may be sent, the seeds' spellings included."""
    names: set[str] = set()
    for name, field in model.model_fields.items():
        choices = field.validation_alias
        aliases = choices.choices if isinstance(choices, AliasChoices) else [choices or name]
        names |= {name, *(alias for alias in aliases if isinstance(alias, str))}
    return names


def field_error(field: str, detail: str) -> InvalidRequest:
    """An error about one field."""
    return InvalidRequest(f"{field}: {detail}", [{"field": field, "detail": detail}])


def _path(one: ErrorDetails) -> str:
    return ".".join(str(part) for part in one["loc"])


def _advice(one: ErrorDetails, known: list[str]) -> str:
    if one["type"] != "extra_forbidden":
        return one["msg"].removeprefix("Value error, ")
    close = difflib.get_close_matches(str(one["loc"][-1]), known, n=1)
    return f"no such field; did you mean {close[0]}?" if close else "no such field: remove it"
