"""The table of the worker's faults: each test keeps its rows, the end of the run puts them together."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "campaign.md"
FOLDER = ROOT / ".shoal" / "worker-faults"
MARK = "worker faults"
HEAD = [
    "| fault | where | injected | videos lost | counted twice | poison tried | poison's receives |",
    "|---|---|---:|---:|---:|---:|---:|",
]
ORDER = (
    "throttle", "denied once", "server error", "lost answer", "crash before a call", "crash after a call",
    "SIGKILL", "SIGTERM", "heartbeat lost", "duplicate delivery", "queue deleted", "disk full",
)  # fmt: skip


@dataclass
class Row:
    """``tries`` and ``receives``: how many workers the poison took along, and how often SQS handed it out, in
    each run that had one."""

    fault: str
    where: str
    injected: int
    lost: int
    twice: int
    tries: list[int] = field(default_factory=list)
    receives: list[int] = field(default_factory=list)

    def plus(self, other: Row) -> Row:
        return Row(
            self.fault, self.where, self.injected + other.injected, self.lost + other.lost,
            self.twice + other.twice, self.tries + other.tries, self.receives + other.receives,
        )  # fmt: skip

    def line(self) -> str:
        counts = f"{self.injected} | {self.lost} | {self.twice}"
        return f"| {self.fault} | {self.where} | {counts} | {_range(self.tries)} | {_range(self.receives)} |"


def _range(found: list[int]) -> str:
    return " to ".join(map(str, dict.fromkeys([min(found), max(found)]))) if found else ""


def keep(row: Row) -> None:
    """For the end of the run: tests run in processes of their own. A later run replaces the row."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    name = f"{ORDER.index(row.fault):02d}-{row.where}".replace(" ", "-")
    (FOLDER / f"{name}.json").write_text(json.dumps(asdict(row)))


def kept() -> list[Row]:
    return [Row(**json.loads(file.read_text())) for file in sorted(FOLDER.glob("*.json"))]


def lines(rows: Iterable[Row]) -> list[str]:
    """Markdown: a line for each fault and place, and one for all."""
    ordered = sorted(rows, key=lambda row: (ORDER.index(row.fault), row.where))
    total = functools.reduce(Row.plus, ordered, Row("**all**", "", 0, 0, 0))
    return [*HEAD, *(row.line() for row in ordered), total.line()]


def put(page: Path, found: list[str], mark: str) -> None:
    """Between the page's markers of that name."""
    begin, end = f"<!-- {mark} -->", f"<!-- /{mark} -->"
    before, _, rest = page.read_text().partition(begin)
    page.write_text("\n".join([before + begin, *found, end + rest.partition(end)[2]]))
