"""The terminal: one console, one look for progress bars, plain text where there is no terminal."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table

console = Console(highlight=False)
errors = Console(stderr=True, highlight=False)

_COLOURS = {
    "READY": "green",
    "SUCCEEDED": "green",
    "DELETED": "green",
    "FAILED": "red",
    "DELETE_INCOMPLETE": "red",
    "ROLLBACK_FAILED": "red",
    "UPDATE_ROLLBACK_FAILED": "red",
}


def progress() -> Progress:
    """A bar with counts and elapsed time; a spinner while the total is unknown."""
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=28),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=False,
    )


def waiting() -> Progress:
    """A spinner with a changing sentence and the elapsed time."""
    return Progress(SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), console=console)


def status_text(status: str) -> str:
    """A status in its colour."""
    colour = _COLOURS.get(status, "yellow")
    return f"[{colour}]{status}[/{colour}]"


def table(title: str, columns: Iterable[str], rows: Iterable[Iterable[Any]]) -> None:
    """Print rows under a heading; says so when there are none."""
    shown = Table(title=title, title_justify="left", header_style="bold")
    for column in columns:
        shown.add_column(column, overflow="fold")
    for row in rows:
        shown.add_row(*(str(cell) if cell is not None else "" for cell in row))
    if shown.row_count:
        console.print(shown)
    else:
        console.print(f"{title}: none")
