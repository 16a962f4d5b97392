"""`shoal update`, `rollback`, `history`, `stop`, `start`: a deployment that changes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from shoal_cli.api import Api
from shoal_cli.connection import connect
from shoal_cli.console import console, status_text, table
from shoal_cli.deployments import DeploymentFailed, print_adjustments, read_specification
from shoal_cli.errors import CliError
from shoal_cli.options import Stack, TimeoutMinutes
from shoal_cli.watch import print_deployment, watch_deployment

Name = Annotated[str, typer.Argument(help="the deployment")]
Reason = Annotated[str, typer.Option(help="why; it is kept in the history")]
Wait = Annotated[bool, typer.Option(help="wait until it is done")]
_NAME_KEYS = ("name", "StackName", "registry-name")


def update(
    specification: Annotated[Path, typer.Argument(help="the deployment's changed YAML")],
    stack: Stack = None,
    wait: Wait = True,
    timeout: TimeoutMinutes = 60,
) -> None:
    """Update a deployment in place; when the new revision fails, the one before serves again."""
    api = Api(connect(stack))
    wanted = read_specification(specification)
    name = next((str(wanted[key]) for key in _NAME_KEYS if key in wanted), None)
    if name is None:
        raise CliError(f"{specification} names no deployment", "add a line such as: name: reef")
    answer = api.update(name, wanted)
    print_adjustments(answer)
    _follow(api, answer, "READY", wait, timeout, revision=int(answer["revision"]))


def rollback(
    name: Name,
    revision: Annotated[int | None, typer.Option(help="the good one before, when left out")] = None,
    reason: Reason = "",
    stack: Stack = None,
    wait: Wait = True,
    timeout: TimeoutMinutes = 60,
) -> None:
    """Go back to an earlier revision, with the very resources that it was READY with."""
    api = Api(connect(stack))
    body: dict[str, Any] = {"reason": reason} | ({"revision": revision} if revision else {})
    answer = api.change(name, "rollback", body)
    _follow(api, answer, "READY", wait, timeout, revision=int(answer["revision"]))


def stop(
    name: Name, reason: Reason = "", stack: Stack = None, wait: Wait = True, timeout: TimeoutMinutes = 60
) -> None:
    """Send the fleet to nothing; the deployment, its endpoint's address and its jobs stay."""
    api = Api(connect(stack))
    _follow(api, api.change(name, "stop", {"reason": reason}), "STOPPED", wait, timeout)


def start(
    name: Name, reason: Reason = "", stack: Stack = None, wait: Wait = True, timeout: TimeoutMinutes = 60
) -> None:
    """Bring the fleet of a stopped deployment back."""
    api = Api(connect(stack))
    _follow(api, api.change(name, "start", {"reason": reason}), "READY", wait, timeout)


def history(name: Name, stack: Stack = None) -> None:
    """Every revision, and who wanted it, when and why."""
    rows = [
        (
            f"{one['revision']}{' *' if one['wanted'] else ''}",
            change["time"],
            change["action"],
            change["outcome"] or "-",
            change["actor"].rsplit("/", 1)[-1],
            change["reason"] or ", ".join(one["changed"]),
        )
        for one in Api(connect(stack)).revisions(name)
        for change in one["changes"]
    ]
    table(f"{name} (* is wanted)", ("revision", "time", "what", "outcome", "who", "why"), rows)


def _follow(
    api: Api, answer: dict[str, Any], wanted: str, wait: bool, timeout: float, revision: int | None = None
) -> None:
    name = str(answer["name"])
    console.print(f"{name}: {status_text(answer['status'])}, revision {answer['revision']}")
    if not wait:
        return
    final = watch_deployment(api, name, timeout_seconds=timeout * 60)
    print_deployment(final)
    if final["status"] != wanted or revision not in {None, final["revision"]}:
        raise DeploymentFailed(
            f"{name} ended {final['status']} with revision {final['revision']}: {final.get('reason', '')}",
            f"mend what the reason names; `shoal history {name}` lists what was tried",
        )
