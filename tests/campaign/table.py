"""The campaign's tables: what was injected, and what was left, changed or falsely called READY.

Each part's figures carry the seed, the day and the commit that they were counted at: the tables may be made
in pieces.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from campaign.sampling import FULL, SEED, WHOLE
from faults.cases import Verdict
from faults.kinds import split
from faults.plans import parse
from pydantic import BaseModel

_COUNTS = ("cases", "leaked", "changed", "false READY", "other")


class Row(BaseModel):
    """``other`` counts what was broken in another way: stuck, not told, not announced in the ledger."""

    cases: int = 0
    leaked: int = 0
    changed: int = 0
    false_ready: int = 0
    other: int = 0

    def add(self, verdict: Verdict) -> None:
        leaked = any("leaked" in one for one in verdict.wrong)
        changed = any("changed" in one or "lost:" in one for one in verdict.wrong)
        false_ready = any(one.startswith("false") for one in verdict.wrong)
        self.cases += 1
        self.leaked += leaked
        self.changed += changed
        self.false_ready += false_ready
        self.other += bool(verdict.wrong) and not (leaked or changed or false_ready)

    def cells(self) -> list[str]:
        return [f"{count:,}" for count in self.model_dump().values()]


_ALL = "**all cases**"
"""A double fault is one of them, and counts with both of its kinds; a race or a life has no kind."""


class Origin(BaseModel):
    """Where figures come from; ``seconds`` of the processor."""

    seed: str = SEED
    whole: bool = WHOLE
    full: bool = FULL
    day: str = ""
    version: str = ""
    seconds: int = 0

    def after(self, seconds: float) -> Origin:
        return self.model_copy(update={"seconds": round(seconds)})

    def cells(self) -> list[str]:
        kind = "FULL" if self.full else "WHOLE" if self.whole else ""
        return [", ".join(filter(None, (self.seed, kind))), self.day, self.version, f"{self.seconds:,}"]


class Part(BaseModel):
    """What one part met: in all, by kind of fault, and where its cases ended."""

    origin: Origin = Origin()
    row: Row = Row()
    kinds: dict[str, Row] = {}
    outcomes: dict[str, int] = {}


class Bugs(BaseModel):
    """Each planted bug with the plan that showed it; an empty plan: none did."""

    origin: Origin = Origin()
    plans: dict[str, str] = {}


class Table(BaseModel):
    """The parts by title, in the order of the campaign."""

    parts: dict[str, Part] = {}
    bugs: Bugs | None = None

    def add(self, title: str, verdicts: Iterable[Verdict], origin: Origin | None = None) -> None:
        """A part's verdicts; those whose fault met no call do not count."""
        part = Part(origin=origin or Origin())
        for verdict in (one for one in verdicts if one.hit):
            part.row.add(verdict)
            part.outcomes[verdict.outcome] = part.outcomes.get(verdict.outcome, 0) + 1
            for kind in _kinds_of(verdict):
                part.kinds.setdefault(kind, Row()).add(verdict)
        self.parts[title] = part

    def over(self, older: Table, titles: Iterable[str]) -> Table:
        """These parts, and of an older table those that were not run now; only parts that there still are."""
        found = older.parts | self.parts
        kept = {title: found[title] for title in titles if title in found}
        return Table(parts=kept, bugs=self.bugs or older.bugs)

    def lines(self) -> list[str]:
        """Markdown."""
        rows = {title: part.row.cells() + part.origin.cells() for title, part in self.parts.items()}
        whole = _total(part.row for part in self.parts.values()).cells()
        seconds = sum(part.origin.seconds for part in self.parts.values())
        columns = (*_COUNTS, "seed", "day", "version", "processor s")
        told = _table("part", columns, rows | {"**all**": [*whole, "", "", "", f"{seconds:,}"]})
        return [*told, "", *self._by_kind(), "", self._ended(), *(_told_bugs(self.bugs) if self.bugs else [])]

    def short(self) -> list[str]:
        """The kinds of fault however long they last, the most frequent first, and all cases (markdown)."""
        sums: dict[str, Row] = {}
        for kind, row in self._kinds().items():
            name = kind.partition(", ")[0]
            sums[name] = _total((row, sums.get(name, Row())))
        ordered = sorted(sums.items(), key=lambda one: -one[1].cases)
        whole = _total(part.row for part in self.parts.values())
        return _table(
            "kind of fault", _COUNTS, {name: row.cells() for name, row in [*ordered, (_ALL, whole)]}
        )

    def _by_kind(self) -> list[str]:
        return _table("kind of fault", _COUNTS, {kind: row.cells() for kind, row in self._kinds().items()})

    def _kinds(self) -> dict[str, Row]:
        names = sorted({kind for part in self.parts.values() for kind in part.kinds})
        return {kind: _total(part.kinds.get(kind, Row()) for part in self.parts.values()) for kind in names}

    def _ended(self) -> str:
        ends = sum((Counter(part.outcomes) for part in self.parts.values()), Counter[str]())
        told = ", ".join(f"{count:,} {status}" for status, count in ends.most_common())
        return f"Where they ended before any second attempt: {told}."


def _told_bugs(bugs: Bugs) -> list[str]:
    caught = sum(bool(plan) for plan in bugs.plans.values())
    seed, day, version, seconds = bugs.origin.cells()
    head = f"Planted bugs: {caught} of {len(bugs.plans)} caught (seed {seed}, {day}, {version}, {seconds} s)."
    rows = {bug: [f"`{plan}`" if plan else "NOT CAUGHT"] for bug, plan in sorted(bugs.plans.items())}
    return ["", head, "", *_table("planted bug", ("the shortest plan that shows it",), rows, left=True)]


def _total(rows: Iterable[Row]) -> Row:
    counts: Counter[str] = Counter()
    for row in rows:
        counts.update(row.model_dump())
    return Row(**counts)


def _table(
    title: str, columns: tuple[str, ...], rows: Mapping[str, list[str]], left: bool = False
) -> list[str]:
    rule = "---|" * (1 + len(columns)) if left else "---|" + "---:|" * len(columns)
    cells = [[title, *columns], *([name, *row] for name, row in rows.items())]
    head, *body = [f"| {' | '.join(line)} |" for line in cells]
    return [head, f"|{rule}", *body]


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
