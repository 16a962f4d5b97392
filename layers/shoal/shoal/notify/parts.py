"""One list of parts, rendered as text and as HTML: both say the same, and neither can be broken out of."""

from __future__ import annotations

from dataclasses import dataclass, field

from shoal.notify.safe import markup, plain

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title></head>
<body style="font-family:sans-serif;max-width:44em">
<h1>{title}</h1>
{body}
</body></html>
"""


@dataclass(frozen=True)
class Part:
    """A paragraph, or facts (label, value), or a command to copy; what is empty is left out."""

    text: str = ""
    facts: list[tuple[str, str]] = field(default_factory=list)
    command: str = ""


@dataclass(frozen=True)
class Mail:
    subject: str
    text: str
    html: str


def rendered(subject: str, parts: list[Part]) -> Mail:
    """The mail that says these parts."""
    return Mail(subject, _as_text(subject, parts), _as_html(subject, parts))


def _as_text(subject: str, parts: list[Part]) -> str:
    lines = [subject, ""]
    for part in parts:
        lines += [part.text] if part.text else []
        lines += [f"  {_hanging(label)}: {_hanging(value)}" for label, value in part.facts]
        lines += [f"  {_hanging(part.command)}"] if part.command else []
        lines.append("")
    return "\n".join(lines)


def _hanging(value: str) -> str:
    """A value of several lines stays below its label: none of them can pose as a line of ours."""
    return plain(value).replace("\n", "\n      ")


def _as_html(subject: str, parts: list[Part]) -> str:
    title, body = markup(subject), "\n".join(_part_html(part) for part in parts)
    return _PAGE.format(title=title, body=body)


def _part_html(part: Part) -> str:
    pieces = [f"<p>{markup(part.text)}</p>"] if part.text else []
    if part.facts:
        rows = "".join(f"<dt>{markup(label)}</dt><dd>{markup(value)}</dd>" for label, value in part.facts)
        pieces.append(f"<dl>{rows}</dl>")
    if part.command:
        pieces.append(f"<pre>{markup(part.command)}</pre>")
    return "\n".join(pieces)
