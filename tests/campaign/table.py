"""The campaign's table: what was injected, and what was left, changed or falsely called READY."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from faults.cases import Verdict
from faults.kinds import split
from faults.plans import parse

BEGIN, END = "<!-- campaign -->", "<!-- /campaign -->"
_COLUMNS = "| {:32} | {:>6} | {:>6} | {:>6} | {:>11} |"


@dataclass
class Row:
    cases: int = 0
    leaked: int = 0
    changed: int = 0
    false_ready: int = 0

    def add(self, verdict: Verdict) -> None:
        self.cases += 1
        self.leaked += any("leaked" in one for one in verdict.wrong)
        self.changed += any("changed" in one or "lost:" in one for one in verdict.wrong)
        self.false_ready += any(one.startswith("false") for one in verdict.wrong)


@dataclass
class Table:
    """Rows by part, and faults by kind."""

    rows: dict[str, Row] = field(default_factory=dict)
    kinds: dict[str, Row] = field(default_factory=dict)
    outcomes: Counter[str] = field(default_factory=Counter)

    def add(self, part: str, verdicts: Iterable[Verdict]) -> None:
        for verdict in verdicts:
            if verdict.hit:
                self.rows.setdefault(part, Row()).add(verdict)
                self.outcomes[verdict.outcome] += 1
                for kind in _kinds_of(verdict):
                    self.kinds.setdefault(kind, Row()).add(verdict)

    def lines(self) -> list[str]:
        """Markdown."""
        total = Row()
        for row in self.rows.values():
            for name in vars(total):
                setattr(total, name, getattr(total, name) + getattr(row, name))
        ended = ", ".join(f"{count} {status}" for status, count in self.outcomes.most_common())
        return [
            *_rows("part", self.rows),
            _COLUMNS.format("**all**", *vars(total).values()),
            "",
            *_rows("kind of fault", self.kinds),
            "",
            f"Where they ended before any second attempt: {ended}.",
        ]


def _kinds_of(verdict: Verdict) -> list[str]:
    name, _, _ = verdict.plan.partition(":")
    if "#" not in verdict.plan or name == "race":
        return []
    return sorted(
        {_NAMES[split(fault.kind)[0]] + _MARKS[split(fault.kind)[1]] for fault in parse(verdict.plan).faults}
    )


_NAMES = {
    "throttle": "throttle", "denied": "denied", "5xx": "5xx", "connect": "connect timeout",
    "lost": "answer lost after success", "5xx-after": "5xx after success", "crash-before": "crash before",
    "crash-after": "crash after", "stale": "stale read", "slow": "slow visibility",
    "timeout": "function times out after its work", "twice": "function runs twice",
    "service": "Lambda fails before it", "dies": "execution dies (States.Runtime)",
}  # fmt: skip
_MARKS = {"": "", "*": ", all retries", "**": ", lasting"}


def _rows(title: str, rows: dict[str, Row]) -> list[str]:
    head = [_COLUMNS.format(title, "cases", "leaked", "changed", "false READY"), "|---|---:|---:|---:|---:|"]
    return head + [_COLUMNS.format(name, *vars(row).values()) for name, row in sorted(rows.items())]


def write(page: Path, lines: list[str]) -> None:
    """Put ``lines`` between the page's markers."""
    text = page.read_text()
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text("\n".join([before + BEGIN, *lines, END + after]))
