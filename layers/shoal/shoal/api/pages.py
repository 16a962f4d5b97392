"""Lists in pages: a bounded ``limit`` and an opaque ``next_token``."""

from __future__ import annotations

import base64
import binascii
import re

from shoal.api.validate import field_error

DEFAULT_LIMIT = 50
MAXIMUM_LIMIT = 100

_TOKEN = re.compile(r"[A-Za-z0-9_=-]{1,400}")


def limit_of(query: dict[str, str], default: int = DEFAULT_LIMIT) -> int:
    """The number of entries of a page.

    Raises:
        InvalidRequest: not a number from 1 to 100.
    """
    text = query.get("limit", str(default))
    if not re.fullmatch(r"[0-9]{1,3}", text) or not 1 <= int(text) <= MAXIMUM_LIMIT:
        raise field_error("limit", f"give a whole number from 1 to {MAXIMUM_LIMIT}")
    return int(text)


def position_of(query: dict[str, str], pattern: str) -> str | None:
    """Where the page starts; None for the first.

    Raises:
        InvalidRequest: the token is not one that a list of this kind gave.
    """
    token = query.get("next_token")
    if not token:
        return None
    try:
        position = base64.urlsafe_b64decode(token).decode() if _TOKEN.fullmatch(token) else ""
    except (binascii.Error, UnicodeDecodeError):
        position = ""
    if not re.fullmatch(pattern, position):
        raise field_error("next_token", "give the next_token of the page before, unchanged")
    return position


def token_for(position: str | int | None) -> str | None:
    """The token of the next page; None where there is none."""
    return None if position is None else base64.urlsafe_b64encode(str(position).encode()).decode()
