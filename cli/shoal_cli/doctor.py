"""`shoal doctor`: what no ledger owns, what is not as a ledger says, and what it costs."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any

import typer
from rich.markup import escape

from shoal_cli.api import Api
from shoal_cli.connection import connect
from shoal_cli.console import console
from shoal_cli.errors import ApiProblem
from shoal_cli.options import Stack

FOUND = 8
"""The exit code where there is something to look at."""


def doctor(
    now: Annotated[bool, typer.Option("--now", help="look now, not only at the last hourly report")] = False,
    stack: Stack = None,
) -> None:
    """Show orphans, drift and leftovers with their cost per hour; nothing is removed."""
    report = report_of(Api(connect(stack)), now)
    for text in lines(report):
        console.print(text, soft_wrap=True)
    if report["findings"] or report["blind"]:
        raise typer.Exit(FOUND)


def report_of(api: Api, now: bool) -> dict[str, Any]:
    """The last report, or a new one where there is none or it is asked for."""
    try:
        return api.doctor(now)
    except ApiProblem as error:
        if error.status != HTTPStatus.NOT_FOUND or now:
            raise
    return api.doctor(now=True)


def lines(report: dict[str, Any]) -> list[str]:
    """The report for a terminal, dearest finding first."""
    found = [line for one in report["findings"] for line in _finding(one)]
    blind = [f"[yellow]not looked at[/yellow] {escape(one)}" for one in report["blind"]]
    last = f"{report['deployments']} deployments, {len(report['findings'])} findings, "
    return [*found, *blind, f"{last}{report['usd_per_hour']:.4g} USD an hour; looked at {report['time']}"]


def _finding(one: dict[str, Any]) -> list[str]:
    cost = "unknown cost" if one["usd_per_hour"] is None else f"{one['usd_per_hour']:.4g} USD an hour"
    what = escape(f"{one['kind']} {one['name']}, {cost}, since {one['since']}: {one['reason']}")
    return [f"[red]{one['problem']}[/red] {what}", f"  {escape(one['advice'])}"]
