"""Text that is safe where it goes: a header, a line of plain text, HTML."""

from __future__ import annotations

import html
import re

from shoal.errors import InvalidRequest

_HEADER_BREAKING = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069]")
_TEXT_BREAKING = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
_LONGEST = 2000


def header(text: str) -> str:
    """The text itself, if it can stand in a mail header.

    Raises:
        InvalidRequest: it holds a control, line or direction character.
    """
    if _HEADER_BREAKING.search(text):
        raise InvalidRequest(f"{text!a} cannot stand in a mail header: remove its control characters")
    return text


def plain(text: str) -> str:
    """The text with every control and direction character shown as an escape, cut at 2000 characters."""
    shown = _TEXT_BREAKING.sub(lambda found: ascii(found[0])[1:-1], text)
    return shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}..."


def line(text: str, longest: int = 80) -> str:
    """The text as part of a header's line, whatever it holds."""
    shown = " ".join(plain(text).split())
    return shown if len(shown) <= longest else f"{shown[:longest]}..."


def markup(text: str) -> str:
    """The text for HTML: elements and attributes alike."""
    return html.escape(plain(text), quote=True)
