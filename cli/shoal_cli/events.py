"""`shoal events`: what happened to a deployment, and what happens to it now."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Annotated, Any

import typer
from rich.markup import escape

from shoal_cli.api import Api
from shoal_cli.connection import connect
from shoal_cli.console import console, status_text
from shoal_cli.options import Stack
from shoal_cli.watch import WORKING

OVERLAP = timedelta(seconds=10)
"""Two functions write their events out of order by less than this: so far back is asked again."""


def events(
    name: Annotated[str, typer.Argument(help="the deployment")],
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="go on as they come; stop with Ctrl-C")
    ] = False,
    until_settled: Annotated[
        bool, typer.Option("--until-settled", help="with --follow: stop when nothing works on it any more")
    ] = False,
    stack: Stack = None,
) -> None:
    """Who changed what of a deployment, when and why; oldest first."""
    api = Api(connect(stack))
    found = followed(api, name, until_settled) if follow or until_settled else api.events(name)
    for event in found:
        console.print(line(event), soft_wrap=True)


def followed(
    api: Api, name: str, until_settled: bool = False, poll_seconds: float = 1.0
) -> Iterator[dict[str, Any]]:
    """Every event once, for ever; or until no execution works on the deployment."""
    seen: dict[str, str] = {}
    after = ""
    while True:
        settled = until_settled and api.deployment(name)["status"] not in WORKING
        for event in api.events(name, after):
            if event["id"] not in seen:
                yield event
            seen[event["id"]] = event["time"]
        after = _back_from(max(seen.values(), default=""))
        seen = {identifier: moment for identifier, moment in seen.items() if moment >= after}
        if settled:
            return
        time.sleep(poll_seconds)


def line(event: dict[str, Any]) -> str:
    """One event for a terminal; nothing of a user's text is taken for markup."""
    reason = f": {escape(event['reason'])}" if event.get("reason") else ""
    target = "" if event["target"] == "deployment" else f"{escape(event['target'])} "
    return f"{event['time']} {target}{status_text(event['status'])} by {escape(event['actor'])}{reason}"


def _back_from(newest: str) -> str:
    """The time to read on from: a little before the newest event."""
    if not newest:
        return ""
    before = datetime.fromisoformat(newest) - OVERLAP
    return before.isoformat(timespec="milliseconds").replace("+00:00", "Z")
