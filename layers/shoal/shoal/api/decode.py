"""Untrusted text to plain values, within bounds: JSON (RFC 8259) and the JSON-shaped part of YAML 1.1.

Refused: depth above 16, integers beyond 18 digits, NaN and infinities, duplicate keys, control characters,
lone surrogates; in YAML also anchors, aliases and tags, with which a 450-byte document becomes gigabytes.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

from shoal.errors import MalformedRequest

MAXIMUM_DEPTH = 16
MAXIMUM_INTEGER = 10**18 - 1

_STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_BRACKET = re.compile(r"[\[\]{}]")
_FORBIDDEN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


def decode_json(text: str) -> Any:
    """The value of a JSON text.

    Raises:
        MalformedRequest: it is not JSON, or it is beyond a bound.
    """
    _check_json_depth(text)
    try:
        value = json.loads(text, parse_int=_integer, object_pairs_hook=_mapping)
    except json.JSONDecodeError as error:
        raise MalformedRequest(f"the body is not JSON: {error.msg} at character {error.pos}") from error
    return _checked(value)


def decode_yaml(text: str) -> Any:
    """The value of a YAML text that could have been written as JSON.

    Raises:
        MalformedRequest: it is not such a text, or it is beyond a bound.
    """
    import yaml

    from shoal.api.strict_yaml import load

    try:
        value = load(text, MAXIMUM_DEPTH)
    except (yaml.YAMLError, ValueError) as error:
        where = getattr(error, "problem_mark", None)
        place = f" near line {where.line + 1}" if where else ""
        advice = "anchors, tags and repeated keys are refused"
        raise MalformedRequest(f"the body is not YAML that could be JSON{place}: {advice}") from error
    return _checked(value)


def _check_json_depth(text: str) -> None:
    """Before the parser sees it: json.loads recurses once for each level."""
    depth = 0
    for bracket in _BRACKET.finditer(_STRING.sub("", text)):
        depth += 1 if bracket[0] in "[{" else -1
        if depth > MAXIMUM_DEPTH:
            raise MalformedRequest(f"the body is nested deeper than {MAXIMUM_DEPTH} levels")


def _integer(digits: str) -> int:
    if len(digits) > len(str(MAXIMUM_INTEGER)) + 1:
        raise MalformedRequest("the body holds an integer of more than 18 digits")
    return int(digits)


def _mapping(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise MalformedRequest(f"the body names the key {key[:64]!a} twice")
        found[key] = value
    return found


def _checked(value: Any) -> Any:
    """The same value, if JSON could hold it; at most 16 levels deep, so recursion is safe."""
    if isinstance(value, dict):
        return {_text(key): _checked(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_checked(item) for item in value]
    if isinstance(value, str):
        return _text(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    if isinstance(value, int) and abs(value) <= MAXIMUM_INTEGER:
        return value
    raise MalformedRequest(
        f"the body holds a {type(value).__name__} that JSON cannot hold, such as NaN or a date"
    )


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise MalformedRequest("a key of the body is not text: put it in quotes")
    if _FORBIDDEN.search(value):
        raise MalformedRequest("the body holds a control character or half a surrogate pair: remove it")
    return value
