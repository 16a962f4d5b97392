"""What the campaign found last: a run replaces the parts it ran, and the page is written from there."""

from __future__ import annotations

import datetime
import subprocess
from collections.abc import Iterable
from pathlib import Path

from campaign.table import Origin, Table

ROOT = Path(__file__).parents[2]
PAGE, KEPT = ROOT / "docs" / "campaign.md", ROOT / "docs" / "campaign.json"
README = ROOT / "README.md"
BEGIN, END = "<!-- campaign -->", "<!-- /campaign -->"
_BUT_THE_TABLES = ("--", ".", ":!docs/campaign.*", ":!README.md")


def here() -> Origin:
    """The origin of figures counted from now on, in this tree; ``+``: it holds more than the commit says."""
    version = _git("rev-parse", "--short=9", "HEAD") + ("+" if _changed() else "")
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    return Origin(day=today, version=version or "no git")


def _changed() -> str:
    return _git("status", "--porcelain", "-uno", *_BUT_THE_TABLES)


def _git(*arguments: str) -> str:
    asked = subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=False)
    return asked.stdout.strip()


def keep(
    table: Table, titles: Iterable[str], page: Path = PAGE, kept: Path = KEPT, readme: Path = README
) -> None:
    """Put the parts that ran over those that were kept, and their tables between both pages' markers."""
    older = Table.model_validate_json(kept.read_text()) if kept.exists() else Table()
    whole = table.over(older, titles)
    kept.write_text(whole.model_dump_json(indent=1) + "\n")
    _put(page, whole.lines())
    _put(readme, whole.short())


def _put(page: Path, lines: list[str]) -> None:
    before, _, rest = page.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text("\n".join([before + BEGIN, *lines, END + after]))
